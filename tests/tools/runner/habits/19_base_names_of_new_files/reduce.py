from pathlib import Path

root = Path("/output")
(root / "user").mkdir(exist_ok=True)
(root / "user" / "kept.dat").write_text("from before")


def present():
    return {path.name for path in root.rglob("*") if path.is_file()}


before = present()
for bank in ("north", "south"):
    folder = root / "focused" / bank
    folder.mkdir(parents=True)
    (folder / "ENGINX_1_bank.nxs").write_text(bank)
(root / "user" / "kept.dat").write_text("written once more")
output = present() - before
