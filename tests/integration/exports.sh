#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the module shows to the linker, and how it is linked.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need nm readelf
need_build "$module"

step "only C_… functions are exported"
nm -D --defined-only "$module" | awk '{ print $NF }' | sed 's/@.*//' | sort >"$work/exported"
if grep -v '^C_[A-Z][A-Za-z]*$' "$work/exported"; then
	fail "the above is exported as well"
fi

step "all functions of PKCS#11 3.0, and so of 2.40, are exported"
cat >"$work/expected" <<'END'
C_CancelFunction
C_CloseAllSessions
C_CloseSession
C_CopyObject
C_CreateObject
C_Decrypt
C_DecryptDigestUpdate
C_DecryptFinal
C_DecryptInit
C_DecryptMessage
C_DecryptMessageBegin
C_DecryptMessageNext
C_DecryptUpdate
C_DecryptVerifyUpdate
C_DeriveKey
C_DestroyObject
C_Digest
C_DigestEncryptUpdate
C_DigestFinal
C_DigestInit
C_DigestKey
C_DigestUpdate
C_Encrypt
C_EncryptFinal
C_EncryptInit
C_EncryptMessage
C_EncryptMessageBegin
C_EncryptMessageNext
C_EncryptUpdate
C_Finalize
C_FindObjects
C_FindObjectsFinal
C_FindObjectsInit
C_GenerateKey
C_GenerateKeyPair
C_GenerateRandom
C_GetAttributeValue
C_GetFunctionList
C_GetFunctionStatus
C_GetInfo
C_GetInterface
C_GetInterfaceList
C_GetMechanismInfo
C_GetMechanismList
C_GetObjectSize
C_GetOperationState
C_GetSessionInfo
C_GetSlotInfo
C_GetSlotList
C_GetTokenInfo
C_InitPIN
C_InitToken
C_Initialize
C_Login
C_LoginUser
C_Logout
C_MessageDecryptFinal
C_MessageDecryptInit
C_MessageEncryptFinal
C_MessageEncryptInit
C_MessageSignFinal
C_MessageSignInit
C_MessageVerifyFinal
C_MessageVerifyInit
C_OpenSession
C_SeedRandom
C_SessionCancel
C_SetAttributeValue
C_SetOperationState
C_SetPIN
C_Sign
C_SignEncryptUpdate
C_SignFinal
C_SignInit
C_SignMessage
C_SignMessageBegin
C_SignMessageNext
C_SignRecover
C_SignRecoverInit
C_SignUpdate
C_UnwrapKey
C_Verify
C_VerifyFinal
C_VerifyInit
C_VerifyMessage
C_VerifyMessageBegin
C_VerifyMessageNext
C_VerifyRecover
C_VerifyRecoverInit
C_VerifyUpdate
C_WaitForSlotEvent
C_WrapKey
END
[ "$(wc -l <"$work/expected")" -eq 92 ] || fail "the list above has lost a line"
LC_ALL=C sort "$work/expected" >"$work/expected.sorted"
LC_ALL=C sort "$work/exported" >"$work/exported.sorted"
if comm -23 "$work/expected.sorted" "$work/exported.sorted" | grep .; then
	fail "the above is missing"
fi

step "linked read-only after relocation, bound at once, never unloaded"
readelf -W -d "$module" >"$work/dynamic"
readelf -W -l "$module" >"$work/headers"
grep -q GNU_RELRO "$work/headers" || fail "no RELRO"
grep -Eq 'BIND_NOW|FLAGS_1.*NOW' "$work/dynamic" || fail "not BIND_NOW"
grep -q NODELETE "$work/dynamic" || fail "not NODELETE"
grep -Eq 'GNU_STACK .* RW ' "$work/headers" || fail "executable stack"
if grep -q TEXTREL "$work/dynamic"; then fail "text relocations"; fi
if grep -Eq '(RPATH|RUNPATH)' "$work/dynamic"; then fail "a run path"; fi

step "no name that is used is left open"
if ldd -r "$module" 2>&1 | grep -i 'undefined'; then
	fail "undefined symbols"
fi
