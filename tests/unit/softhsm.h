/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SoftHSM2 of the test's own: configuration and tokens in a fresh folder below
 * unit_path(), and the module's own functions to look at it, and to disturb it, with.
 */
#ifndef P11_KMS_TESTS_SOFTHSM_H
#define P11_KMS_TESTS_SOFTHSM_H

#include "base/pkcs11.h"

#include <stddef.h>

#define SOFTHSM_PIN "1234"
#define SOFTHSM_LABEL "unit"

/*
 * SoftHSM 2.6.1 leaks when it uses keys of X25519, and the sanitizers' leak checker can't tell
 * whose memory it is: such tests are left out there. Scenarios and the black-box suite have more.
 */
#ifdef __SANITIZE_ADDRESS__
#define SOFTHSM_LEAKS_X25519 1
#else
#define SOFTHSM_LEAKS_X25519 0
#endif

/* Makes the folder and one token, and sets SOFTHSM2_CONF. Ends the test when that fails. */
void softhsm_start(void);
/* One more token. */
void softhsm_add_token(const char *label);

const char *softhsm_module(void);
/* The path of a name in the folder. Static buffer. */
const char *softhsm_path(const char *name);
/* "pkcs11:token=LABEL?module-path=…". Static buffer. */
const char *softhsm_uri(const char *label);

/* Takes the tokens away, as a power failure of the HSM would, and gives them back. */
void softhsm_unplug(void);
void softhsm_plug(void);

/* The module's own functions, as a program beside us has them. */
CK_FUNCTION_LIST *softhsm_functions(void);
CK_SLOT_ID softhsm_slot(const char *label);

#endif
