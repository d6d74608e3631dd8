/* SPDX-License-Identifier: Apache-2.0 */
#ifndef P11_KMS_CRYPTOKI_GENERAL_H
#define P11_KMS_CRYPTOKI_GENERAL_H

#include "base/pkcs11.h"

/* C_GetInfo, as it is seen through an interface of this version. */
CK_RV general_info(CK_VERSION version, CK_INFO *info);

#endif
