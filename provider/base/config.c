/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include "base/config-token.h"
#include "base/file.h"
#include "base/settings.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef P11_KMS_SYSCONFDIR
#define P11_KMS_SYSCONFDIR "/etc"
#endif

#define SYSTEM_PATH P11_KMS_SYSCONFDIR "/p11-kms/p11-kms.conf"
#define CONFIG_SIZE_MAX ((size_t)256 * 1024)
#define TOKEN_NAME_MAX 32 /* CK_TOKEN_INFO.label */

/* A configuration that is being read. */
struct reading {
	struct config *config;
	unsigned section_line; /* of the section the last setting was in */
	unsigned given;        /* keys of that section so far */
};

static bool
exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

char *
config_paths(void)
{
	const char *xdg = secure_getenv("XDG_CONFIG_HOME");
	const char *home = secure_getenv("HOME");
	const char *below = "";

	if (xdg == NULL || xdg[0] != '/') {
		xdg = home;
		below = "/.config";
	}
	if (xdg == NULL || xdg[0] != '/')
		return strdup("there is no " SYSTEM_PATH);
	return text_format("there is no %s%s/p11-kms/p11-kms.conf and no " SYSTEM_PATH, xdg, below);
}

/* folder's part of the path comes from the environment: relative ones are to be ignored
 * (XDG Base Directory Specification). Caller frees; NULL when there is no such file. */
static char *
find_in(const char *folder, const char *below)
{
	char *path;

	if (folder == NULL || folder[0] != '/')
		return NULL;
	path = text_format("%s%s/p11-kms/p11-kms.conf", folder, below);
	if (path != NULL && exists(path))
		return path;
	free(path);
	return NULL;
}

char *
config_path(void)
{
	const char *named = secure_getenv("P11_KMS_CONFIG");
	const char *xdg = secure_getenv("XDG_CONFIG_HOME");
	char *path;

	if (named != NULL && named[0] != '\0')
		return strdup(named);
	if (xdg != NULL && xdg[0] == '/')
		path = find_in(xdg, "");
	else
		path = find_in(secure_getenv("HOME"), "/.config");
	return path != NULL ? path : find_in(P11_KMS_SYSCONFDIR, "");
}

static bool
refuse(char **ret_why, const char *what)
{
	*ret_why = text_format("%s", what);
	return false;
}

static bool
set_global(struct reading *reading, const struct setting *setting, char **ret_why)
{
	static const char *const names[] = { "log", "log-to" };
	struct config *config = reading->config;
	size_t index = 0;

	while (index < 2 && strcmp(setting->key, names[index]) != 0)
		index++;
	if (index == 2)
		return refuse(ret_why, "this setting is not known outside of a section; put it below "
		                       "[token NAME], or see p11-kms.conf(5)");
	if ((reading->given & 1U << index) != 0)
		return refuse(ret_why, "this setting was given before; remove one of them");
	reading->given |= 1U << index;

	if (index == 0)
		return log_level_parse(setting->value, &config->log) ||
		       refuse(ret_why, "log is not a level; write error, warning, info or debug");
	config->log_to_syslog = strcmp(setting->value, "syslog") == 0;
	if (config->log_to_syslog || strcmp(setting->value, "stderr") == 0)
		return true;
	return refuse(ret_why, "log-to is not known; write stderr or syslog");
}

/* NULL when the name may be given to the next token. */
static const char *
name_fault(const struct config *config, const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > TOKEN_NAME_MAX)
		return "a token's name has 1 to 32 bytes; choose another name";
	/* Labels are padded with spaces: PKCS#11 3.0, section 3.2, CK_TOKEN_INFO. */
	if (name[0] == ' ' || name[size - 1] == ' ')
		return "a token's name can't begin or end with a space; remove it";
	if (!text_printable(name, size))
		return "a token's name is UTF-8 without control characters; choose another name";
	if (config_token_find(config, name) != NULL)
		return "there is a token of this name already; choose another name";
	return NULL;
}

static bool
add_token(struct reading *reading, const struct setting *setting, char **ret_why)
{
	static const char prefix[] = "token ";
	struct config *config = reading->config;
	struct config_token *tokens;
	const char *name = setting->section + strlen(prefix);
	const char *fault;

	if (strncmp(setting->section, prefix, strlen(prefix)) != 0)
		return refuse(ret_why, "the section above is not known; write [token NAME]");
	fault = name_fault(config, name);
	if (fault != NULL)
		return refuse(ret_why, fault);
	tokens = realloc(config->tokens, (config->token_count + 1) * sizeof *tokens);
	if (tokens == NULL)
		return refuse(ret_why, "out of memory");
	config->tokens = tokens;
	if (!config_token_init(&tokens[config->token_count], name, setting->section_line))
		return refuse(ret_why, "out of memory");
	config->token_count++;
	return true;
}

static bool
take_setting(void *context, const struct setting *setting, char **ret_why)
{
	struct reading *reading = context;
	struct config *config = reading->config;

	if (setting->section_line == 0)
		return set_global(reading, setting, ret_why);
	if (setting->section_line != reading->section_line) {
		if (!add_token(reading, setting, ret_why))
			return false;
		reading->section_line = setting->section_line;
		reading->given = 0;
	}
	return config_token_set(&config->tokens[config->token_count - 1], &reading->given,
	                        setting->key, setting->value, ret_why);
}

/* *ret_why without the file's name. */
static bool
read_content(struct config *config, const struct buffer *content, char **ret_why)
{
	struct reading reading = { config, 0, 0 };
	char *fault = NULL;

	if (!settings_read((const char *)content->data, content->size, take_setting, &reading,
	                   ret_why))
		return false;
	for (size_t i = 0; i < config->token_count; i++) {
		if (config_token_check(&config->tokens[i], &fault))
			continue;
		*ret_why = text_format("%u: %s", config->tokens[i].line,
		                       fault == NULL ? "out of memory" : fault);
		free(fault);
		return false;
	}
	return true;
}

bool
config_read(const char *path, struct config **ret_config, char **ret_why)
{
	struct buffer content = BUFFER_INIT;
	struct config *config = calloc(1, sizeof *config);
	char *fault = NULL;
	bool done = false;

	if (config != NULL)
		config->path = strdup(path);
	if (config == NULL || config->path == NULL) {
		*ret_why = text_format("%s: can't be read: out of memory", path);
		goto out;
	}
	config->log = LOG_LEVEL_WARNING;
	if (!file_read(path, FILE_PUBLIC, CONFIG_SIZE_MAX, &content, ret_why))
		goto out;
	if (!read_content(config, &content, &fault)) {
		*ret_why = text_format("%s:%s", path, fault == NULL ? " out of memory" : fault);
		goto out;
	}
	*ret_config = config;
	config = NULL;
	done = true;

out:
	free(fault);
	buffer_clear(&content);
	config_free(&config);
	return done;
}

void
config_free(struct config **config)
{
	if (*config == NULL)
		return;
	for (size_t i = 0; i < (*config)->token_count; i++)
		config_token_clear(&(*config)->tokens[i]);
	free((*config)->tokens);
	free((*config)->path);
	free(*config);
	*config = NULL;
}

const struct config_token *
config_token_find(const struct config *config, const char *name)
{
	if (name == NULL)
		return config->token_count == 1 ? &config->tokens[0] : NULL;
	for (size_t i = 0; i < config->token_count; i++)
		if (strcmp(config->tokens[i].name, name) == 0)
			return &config->tokens[i];
	return NULL;
}
