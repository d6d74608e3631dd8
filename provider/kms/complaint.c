/* SPDX-License-Identifier: Apache-2.0 */
#include "kms/complaint.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

void
complaint_raise(struct complaint *complaint, char *text)
{
	if (text == NULL)
		return;
	if (complaint->last != NULL && strcmp(complaint->last, text) == 0) {
		free(text);
		return;
	}
	log_error("%s", text);
	free(complaint->last);
	complaint->last = text;
}

void
complaint_clear(struct complaint *complaint)
{
	free(complaint->last);
	complaint->last = NULL;
}
