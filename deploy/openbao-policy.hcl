# What Keyturn may do in OpenBao or Vault, and no more, where it wraps with the transit key "keyturn" of the engine at "transit":
#
#   bao secrets enable transit
#   bao write -f transit/keys/keyturn
#   bao policy write keyturn deploy/openbao-policy.hcl
#
# `update`, not `create`: encrypting must not make a key that is missing.
path "transit/encrypt/keyturn" {
  capabilities = ["update"]
}

path "transit/decrypt/keyturn" {
  capabilities = ["update"]
}

# For `keyturn keys rewrap`.
path "transit/rewrap/keyturn" {
  capabilities = ["update"]
}
