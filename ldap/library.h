// OpenLDAP's headers; for the .cc files of this folder only.
#pragma once

// They declare a struct of the name that our namespace has; only pointers to it are ever used.
#define ldap ldap_library_handle
#include <ldap.h>
#include <openldap.h>
#undef ldap
