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
	CK_RV rv = entry_module(reserved == NULL);

	if (rv == CKR_OK)
		rv = provider_stop();
	return entry_end("C_Finalize", NULL, rv);
}

CK_RV
general_info(CK_VERSION version, CK_INFO *info)
{
	CK_RV rv = entry_module(info != NULL);

	if (rv != CKR_OK)
		goto out;
	*info = (CK_INFO) {
		.cryptokiVersion = version,
		.libraryVersion = { PACKAGE_VERSION_MAJOR, PACKAGE_VERSION_MINOR },
	};
	text_pad(info->manufacturerID, sizeof info->manufacturerID, "p11-kms");
	text_pad(info->libraryDescription, sizeof info->libraryDescription,
	         "Keys of a KMS as a token");
out:
	return entry_end("C_GetInfo", NULL, rv);
}
