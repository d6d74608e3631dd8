/* SPDX-License-Identifier: Apache-2.0 */
/* What the servers say of themselves, for whoever runs them. */
#ifndef P11_KMS_KMS_KMIP_REPORT_H
#define P11_KMS_KMS_KMIP_REPORT_H

#include "base/compiler.h"
#include "kms/kmip-session.h"

/* As kms_report. No server's failure ends it; each has config->deadline_ms. */
MUST_USE CK_RV kmip_report(struct kmip *kmip, const struct kms_report_request *request,
                           struct kms_attempt *attempt);

#endif
