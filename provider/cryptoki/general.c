/* SPDX-License-Identifier: Apache-2.0 */
/* General-purpose functions. PKCS#11 3.0, section 5.4. */
#include "cryptoki/general.h"

#include "cryptoki/entry.h"
#include "token/text.h"

CK_RV
C_Initialize(void *args)
{
	return entry_end("C_Initialize", NULL, provider_start(args));
}

CK_RV
C_Finalize(void *reserved)
{
	if (reserved != NULL)
		return CKR_ARGUMENTS_BAD;
	return entry_end("C_Finalize", NULL, provider_stop());
}

CK_RV
general_info(CK_VERSION version, CK_INFO *info)
{
	CK_RV rv;

	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = provider_enter();
	if (rv != CKR_OK)
		return rv;
	*info = (CK_INFO) {
		.cryptokiVersion = version,
		.libraryVersion = { PACKAGE_VERSION_MAJOR, PACKAGE_VERSION_MINOR },
	};
	text_pad(info->manufacturerID, sizeof info->manufacturerID, "p11-kms");
	text_pad(info->libraryDescription, sizeof info->libraryDescription,
	         "Keys of a KMS as a token");
	return entry_end("C_GetInfo", NULL, CKR_OK);
}
