"""The made-up facility of the directory tests, as LDIF: about 40 accounts, 12 instruments, teams, experiments, groups in groups, odd names.

`python3 make_facility.py` prints it. Everybody's password is `password_of(uid)`.
"""

import base64
import sys

SUFFIX = "dc=facility,dc=example"
PEOPLE, GROUPS, SERVICES, VISITORS = (f"ou={name},{SUFFIX}" for name in ("people", "groups", "services", "visitors"))
INSTRUMENTS = ["mari", "let", "merlin", "wish", "gem", "polaris", "hyspec", "arcs", "cncs", "sequoia", "vision", "topaz"]
ODD_NAMES = ["comma, the first", "paren(thesis)", "aster*isk", "back\\slash", "müller-größe-名", "l" * 200, 'quo"ted', "#hash", "plus+sign", "a;b<c>d=e"]
PLAIN_NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj", "olivia", "peggy", "rupert",
               "sybil", "trent", "victor", "walter", "wendy", "deep", "gone", "locked", "nobody", "lying"]


def password_of(uid):
    return f"the password of {uid}"


def dn_value(value):
    text = "".join("\\%02x" % ord(c) if c in ',+"\\<>;=' else c for c in value)
    return "\\23" + text[1:] if text.startswith("#") else text


def person(uid, parent=PEOPLE):
    return f"uid={dn_value(uid)},{parent}"


def group(name):
    return f"cn={dn_value(name)},{GROUPS}"


class Ldif:
    def __init__(self):
        self.lines = []

    def entry(self, dn, **attributes):
        self.line("dn", dn)
        for name, values in attributes.items():
            for value in values if isinstance(values, list) else [values]:
                self.line(name, value)
        self.lines.append("")

    def line(self, name, value):
        plain = value.isascii() and value.isprintable() and not value.startswith((" ", ":", "<")) and not value.endswith(" ")
        self.lines.append(f"{name}: {value}" if plain else f"{name}:: {base64.b64encode(value.encode()).decode()}")

    def account(self, uid, dn=None, **more):
        self.entry(dn or person(uid), objectClass=["inetOrgPerson"] + more.pop("classes", []), uid=[uid] + more.pop("other_uids", []),
                   cn=f"{uid[:60].title()} Example", sn="Example", userPassword=password_of(uid), **more)

    def posix_group(self, name, uids):
        self.number = getattr(self, "number", 5000) + 1
        self.entry(group(name), objectClass="posixGroup", cn=name, gidNumber=str(self.number), **({"memberUid": uids} if uids else {}))

    def group_of_names(self, name, dns):
        self.entry(group(name), objectClass="groupOfNames", cn=name, member=dns)


def facility():
    ldif = Ldif()
    ldif.entry(SUFFIX, objectClass=["dcObject", "organization"], dc="facility", o="Facility")
    for parent in (PEOPLE, GROUPS, SERVICES, VISITORS, f"ou=policies,{SUFFIX}"):
        ldif.entry(parent, objectClass="organizationalUnit", ou=parent.split(",")[0][3:])
    ldif.entry(f"cn=default,ou=policies,{SUFFIX}", objectClass=["pwdPolicy", "device"], cn="default", pwdAttribute="userPassword", pwdLockout="TRUE")
    for service in ("reader", "short"):
        ldif.entry(f"cn={service},{SERVICES}", objectClass=["organizationalRole", "simpleSecurityObject"], cn=service, userPassword=password_of(service))

    for uid in PLAIN_NAMES:
        more = {"gone": {"classes": ["shadowAccount"], "shadowExpire": "1"}, "locked": {"pwdAccountLockedTime": "000001010000Z"}}
        ldif.account(uid, **more.get(uid, {}))
    for uid in ODD_NAMES:
        ldif.account(uid)
    ldif.account("twin", dn=f"cn=Twin One,{PEOPLE}")
    ldif.account("twin", dn=f"cn=Twin Two,{PEOPLE}")
    ldif.account("multi", other_uids=["manifold"])
    ldif.account("visitor", dn=person("visitor", VISITORS))
    ldif.entry(f"cn=IPTS-9001,{VISITORS}", objectClass="posixGroup", cn="IPTS-9001", gidNumber="9001", memberUid="visitor")

    for number, instrument in enumerate(INSTRUMENTS):
        ldif.posix_group(f"sns_{instrument}_team", [PLAIN_NAMES[number], PLAIN_NAMES[number + 1], "gone"])
    for number in range(1001, 1031):
        ldif.posix_group(f"IPTS-{number}", sorted({PLAIN_NAMES[number % 20], PLAIN_NAMES[number * 7 % 20]}))
    ldif.posix_group("snsadmin", ["alice", "left-long-ago"])
    ldif.group_of_names("sns_operators", [person("bob"), person("carol"), person("left-long-ago")])
    ldif.entry(group("sns_auditors"), objectClass="groupOfUniqueNames", cn="sns_auditors", uniqueMember=[person("judy"), person("ivan")])
    ldif.posix_group("odd-posix", [uid for uid in ODD_NAMES if uid.isascii()])
    ldif.group_of_names("odd, (group) *", [person(uid) for uid in ODD_NAMES])
    ldif.posix_group("no-members", [])

    # Groups in groups: members of the university are of the consortium, and so of the experiment.
    ldif.group_of_names("university", [person("mallory"), person("niaj"), person("gone")])
    ldif.group_of_names("consortium", [group("university"), person("olivia"), group("sns_mari_team")])
    ldif.group_of_names("IPTS-2001", [group("consortium"), person("peggy")])
    # Two that are in each other.
    ldif.group_of_names("IPTS-2003", [person("rupert")])
    ldif.group_of_names("IPTS-2004", [group("IPTS-2003"), person("sybil")])
    ldif.entry(group("IPTS-2003"), changetype="modify", add="member", member=group("IPTS-2004"))
    # level-1 holds level-2 holds ... level-8 holds the account.
    ldif.group_of_names("level-8", [person("deep")])
    for level in range(7, 0, -1):
        ldif.group_of_names(f"level-{level}", [group(f"level-{level + 1}")])
    return "\n".join(ldif.lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(facility())
