/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry: an append-only log of signed entries in one SQLite file, and an index of
 * keys and versions over it. What is returned comes from signed entries only, and each is
 * checked when it is read. doc/registry-format.md has the format.
 *
 * A struct registry may be used by several threads (its own lock guards the connection;
 * the lock is never held while a signer signs). It must not be used in a forked child:
 * registry_abandon it there.
 *
 * Failures: CKR_DEVICE_ERROR signature, chain or format broken (logged in one line);
 * CKR_DEVICE_MEMORY disk full; CKR_FUNCTION_FAILED locked past the busy timeout, or not
 * readable; CKR_TOKEN_WRITE_PROTECTED a change through a registry opened to read, or no
 * permission to write; CKR_HOST_MEMORY.
 */
#ifndef P11_KMS_REGISTRY_REGISTRY_H
#define P11_KMS_REGISTRY_REGISTRY_H

#include "registry/authority.h"
#include "registry/object-record.h"
#include "registry/record.h"
#include "registry/succession-record.h"
#include "registry/succession.h"

struct registry; /* opaque */

/* REGISTRY_LOOK: as REGISTRY_READ, and nothing is written: neither side files nor what was seen. */
enum registry_mode { REGISTRY_READ, REGISTRY_WRITE, REGISTRY_LOOK };

/* Makes the file, which must not be there, mode 0644. Write the token record with registry_change next. *ret_why: caller frees. CKR_DEVICE_ERROR also when a registry of this authority was seen there, and is gone. */
MUST_USE CK_RV registry_create(const char *path, const struct authority *authority,
                               struct registry **ret_registry, char **ret_why);
/* The same, but what was seen there before is void, from the first change on. */
MUST_USE CK_RV registry_create_anew(const char *path, const struct authority *authority,
                                    struct registry **ret_registry, char **ret_why);
/* authority is borrowed for as long as the registry lives. *ret_why as above, also when the file is missing, foreign, or of a newer format. */
MUST_USE CK_RV registry_open(const char *path, const struct authority *authority,
                             enum registry_mode mode, struct registry **ret_registry, char **ret_why);
void registry_free(struct registry **registry);
/* In a forked child: forgets the registry without touching its connection. */
void registry_abandon(struct registry **registry);

/* A number that grows whenever anyone has changed the registry. Cheap: no row is read. */
MUST_USE CK_RV registry_generation(struct registry *registry, uint64_t *ret_generation);

struct registry_head {
	int64_t sequence;       /* of the last entry */
	unsigned char hash[32]; /* chain hash of the last entry */
	int64_t issued;
	int64_t expires;
};

/* Nothing more is protected at that time: the second in which it expires is the first such. */
static inline bool
registry_expired(int64_t expires, int64_t now)
{
	return now >= expires;
}

/* CKR_DEVICE_ERROR also when the registry was turned back: see below. */
MUST_USE CK_RV registry_head(struct registry *registry, struct registry_head *ret_head);

/*
 * The highest head seen is kept outside of the registry (registry/seen.h). One that is older (of
 * a lower sequence, or of the same and signed before), or another of the same sequence, or of a
 * log that does not have the entry seen before, was turned back: registry_head and
 * registry_change refuse it with CKR_DEVICE_ERROR, after one line in the log.
 *
 * Whether the last registry_head, or registry_change, found that. ret_why (may be NULL): what
 * is wrong, caller frees.
 */
bool registry_turned_back(struct registry *registry, char **ret_why);
/* Whether what was seen can be kept for other processes. Writes it; who only looks would have to. */
bool registry_remembers(struct registry *registry);
/* Before it is looked at: an older one was put back on purpose, which is then not logged as an error. */
void registry_put_back(struct registry *registry);
/* A backup was put back on purpose: what is there now is the highest seen, for this user, and for all when root says so. CKR_FUNCTION_FAILED: it can't be kept (logged). */
MUST_USE CK_RV registry_accept(struct registry *registry);
/* When that was last; 0: never. What the log lost then, `rebuild` finds: see token_record.rebuilt. */
int64_t registry_restored(struct registry *registry);

/* Who signs the registry, as the pinned authority handed over. Caller: succession_release. CKR_DEVICE_ERROR also when it was turned back. */
MUST_USE CK_RV registry_succession(struct registry *registry, struct succession **ret_succession);

/* CKR_OBJECT_HANDLE_INVALID: no such version (key, token record). Caller frees. */
MUST_USE CK_RV registry_version(struct registry *registry, int64_t object,
                                struct version **ret_version);
/* The sequence of the newest entry of a version, from the index, unchecked: tells whether a cached version is still the newest. */
MUST_USE CK_RV registry_version_sequence(struct registry *registry, int64_t object,
                                         int64_t *ret_sequence);
MUST_USE CK_RV registry_key(struct registry *registry, const char *name,
                            struct key_record **ret_key);
/*
 * The same, and the log has no newer one, whatever the index says: for what must not be turned
 * back. Walks the whole log. CKR_DEVICE_ERROR also when it has, or is not whole and the key has
 * had a recovery key.
 */
MUST_USE CK_RV registry_key_newest(struct registry *registry, const char *name,
                                   struct key_record **ret_key);
/*
 * A version and its key, and the log, which is whole, has newer entries of neither. Walks it.
 * CKR_DEVICE_ERROR also when that is not so (logged).
 */
MUST_USE CK_RV registry_version_newest(struct registry *registry, int64_t object,
                                       struct version **ret_version, struct key_record **ret_key);
MUST_USE CK_RV registry_token(struct registry *registry, struct token_record **ret_token);

/* What a search asks for; members that are zero are not asked. The answer is a preselection from the index: read each version to be sure. */
struct registry_search {
	const char *name;  /* exact; with number: that version */
	int64_t number;
	bool active;       /* only active versions */
	bool destroyed;    /* also destroy-pending and destroyed ones */
	const void *id;
	size_t id_size;
	int64_t before;    /* only what comes after this object: where the last page ended */
};

/* CKR_OBJECT_HANDLE_INVALID: there is none, or it was removed. Caller frees. */
MUST_USE CK_RV registry_object(struct registry *registry, int64_t object,
                               struct object_record **ret_record);

/* Certificates and data objects; members that are NULL are not asked. A preselection, as above. */
struct registry_object_search {
	const CK_OBJECT_CLASS *class;
	const void *label, *id;
	size_t label_size, id_size;
	int64_t before; /* only objects below this one; 0: all */
};

MUST_USE CK_RV registry_search_objects(struct registry *registry,
                                       const struct registry_object_search *search,
                                       int64_t *ret_objects, size_t max, size_t *ret_count);

/* Versions that sign and no certificate has the CKA_ID of, oldest first, after the given one. A preselection, as above. */
MUST_USE CK_RV registry_uncertified(struct registry *registry, int64_t after, int64_t *ret_objects,
                                    size_t max, size_t *ret_count);

/* At most max objects, newest first: of one key (name, and neither number nor id) by their numbers, else by their objects. */
MUST_USE CK_RV registry_search(struct registry *registry, const struct registry_search *search,
                               int64_t *ret_objects, size_t max, size_t *ret_count);
/* The versions that are active, by the index, unchecked: what protects. In no order. Caller: actives_free. */
struct active {
	int64_t object;
	struct buffer id;
};

MUST_USE CK_RV registry_actives(struct registry *registry, struct active **ret_actives,
                                size_t *ret_count);
void actives_free(struct active *actives, size_t count);
/* Names of keys in order, after the given one (NULL: from the first). Caller frees each. */
MUST_USE CK_RV registry_key_names(struct registry *registry, const char *after, char **ret_names,
                                  size_t max, size_t *ret_count);
/*
 * Names of the keys that have something due by now, or may have: to rotate, to activate, to
 * deactivate, to retire, to purge (see lifecycle/upkeep.h). Told by the entries as they stand,
 * unchecked, so that it takes no longer than a look at each: read the records to be sure. In
 * no order, each once. Caller: names_free.
 */
MUST_USE CK_RV registry_due(struct registry *registry, int64_t now, char ***ret_names,
                            size_t *ret_count);
void names_free(char **names, size_t count);
/* Keys and versions (all states) in the index. */
MUST_USE CK_RV registry_count(struct registry *registry, int64_t *ret_keys, int64_t *ret_versions);

/*
 * Changing. build is called with the head that the change will follow; it reads what it
 * needs and adds entries. They are then signed, with a new head, and committed in one
 * transaction, if nobody was faster; else all is done again from build on. An empty change
 * commits just a new head. build's own failure ends it, as does the signer's.
 *
 * expires_after: seconds for which the new head is fresh; 0: for ever (the year 9999). One over
 * the same entries is never issued before the one it replaces, however clocks are set.
 * CKR_ATTRIBUTE_VALUE_INVALID: a new version's CKA_ID, or name and number, is in use.
 * CKR_DATA_INVALID: a record breaks the format's rules, a later entry of a version does not
 * have its name, number and CKA_ID, or the first change of all does not begin with the token.
 */
struct change; /* opaque */

typedef CK_RV (*registry_build)(struct registry *registry, struct change *change, void *context);

MUST_USE CK_RV registry_change(struct registry *registry, const struct signer *signer,
                               int64_t expires_after, registry_build build, void *context);

/*
 * A version with object 0 gets the sequence of its entry, stored in version->object and
 * version->sequence at once (a later try of the same registry_change knows it again and gives it
 * another).
 */
MUST_USE CK_RV change_add_version(struct change *change, struct version *version);
MUST_USE CK_RV change_add_key(struct change *change, const struct key_record *key);
MUST_USE CK_RV change_add_token(struct change *change, const struct token_record *token);
/* One with object 0 gets the sequence of its entry, as a version does. */
MUST_USE CK_RV change_add_object(struct change *change, struct object_record *record);

/*
 * Hands over to another authority: what follows in this change, and in all later ones, is
 * signed by it. First of a change, once; add the token record with its id next.
 * CKR_DATA_INVALID: not the first. CKR_PUBLIC_KEY_INVALID: no authority. CKR_DEVICE_ERROR: the
 * log is not whole, so that the new authority can't vouch for it (logged).
 */
MUST_USE CK_RV change_add_handover(struct registry *registry, struct change *change,
                                   const struct handover_record *record);

/*
 * Intents: pairs about to be made in the KMS, so that a crash can be reconciled. Unsigned:
 * whoever can write the file can make one up. Nothing may be done with a pair on an intent's
 * word alone: see lifecycle/reconcile.c.
 */
struct intent {
	char *name; /* owned; "" for an authority's pair */
	int64_t number;
	struct buffer id;
	int64_t since;
	int64_t protect_from; /* it was to be active from then on; 0: at once */
	bool undo_only; /* what else it was asked for can't be told from the pair */
	bool given_up;  /* its maker was told that it failed, or will be, and can't commit it any more */
	bool removing;  /* given up, and its pair is being removed: nobody commits it any more */
};

/* What is to be made; members as of struct intent, all borrowed. */
struct intention {
	const char *name;
	const void *id;
	size_t id_size;
	int64_t least; /* the number is no less */
	int64_t protect_from;
	bool undo_only;
};

/* Reserves id and the key's next number. CKR_ATTRIBUTE_VALUE_INVALID: id is in use. */
MUST_USE CK_RV registry_intend(struct registry *registry, const struct intention *intention,
                               int64_t *ret_number);
/* The same for an authority's pair. number: at least that; *ret_number is at least it, and greater than those of its other intents. */
MUST_USE CK_RV registry_intend_authority(struct registry *registry, const void *id, size_t id_size,
                                         int64_t number, int64_t *ret_number);
/* What the intent is for: not for a version of a key. */
bool intent_is_authority(const struct intent *intent);
MUST_USE CK_RV registry_intents(struct registry *registry, struct intent **ret_intents,
                                size_t *ret_count);
void intents_free(struct intent *intents, size_t count);
/*
 * The version, or the authority, that this change begins was intended. Its intent goes with the
 * commit, which fails with CKR_FUNCTION_CANCELED when it has gone already or was given up. What
 * was not intended fails with CKR_ACTION_PROHIBITED where there is an intent for its CKA_ID: so
 * whoever has given an intent up, and finds no entry, may destroy the pair.
 */
void change_intended(struct change *change);
/* The same, also when it was given up by its maker; not when its pair is being removed. */
void change_intended_failed(struct change *change);
/*
 * The pair of that intent is going to be removed, and shall not become a version any more: no commit
 * has it from now on. *ret_given_up: false, there is no such intent (any more).
 */
MUST_USE CK_RV registry_intent_give_up(struct registry *registry, const void *id, size_t id_size,
                                       bool *ret_given_up);
/*
 * For a version's maker, who is told that it failed: his commit does not have it from now on, and it
 * begins anew to be young, so that nobody else touches the pair while he removes it. Also when
 * somebody has removed the intent meanwhile. False: a version has that CKA_ID, or another intent
 * its number.
 */
MUST_USE CK_RV registry_intent_take_back(struct registry *registry, const char *name,
                                         int64_t number, const void *id, size_t id_size,
                                         bool *ret_given_up);
MUST_USE CK_RV registry_intent_remove(struct registry *registry, const void *id, size_t id_size);

/*
 * How long pairs have been waiting that the KMS holds and the registry does not know: since
 * when, of each of those that are there now. One that is new waits since now; those that are gone
 * are forgotten. Kept by the file beside the log, unsigned: it may only delay something. A
 * time that lies ahead, or long ago, counts as now. keep: false, nothing is written.
 */
MUST_USE CK_RV registry_waiting(struct registry *registry, const struct buffer *const *ids,
                                size_t count, bool keep, int64_t *ret_since);

/*
 * Whether any entry of the log has this CKA_ID, be it a version's or the authority's, and
 * whatever the index says. Walks the whole log; CKR_DEVICE_ERROR when its chain does not
 * reach from the first entry to the signed head (logged): then nothing can be known.
 */
MUST_USE CK_RV registry_log_has_id(struct registry *registry, const void *id, size_t id_size,
                                   bool *ret_has);
/* The same of several, in one walk. ret_has: count answers. */
MUST_USE CK_RV registry_log_find_ids(struct registry *registry, const struct buffer *const *ids,
                                     size_t count, bool *ret_has);

/*
 * CKR_DEVICE_ERROR: the entries are not the chain that the signed head is the end of. Reads them
 * all.
 */
MUST_USE CK_RV registry_check_chain(struct registry *registry);
/* What registry_verify found, one call a finding. object 0: not about one version. */
typedef void (*registry_finding)(void *context, int64_t sequence, int64_t object, const char *what);

/* Walks the whole log: chain, signatures, formats, head, and the index against them. CKR_OK when it could be walked, whatever was found. */
MUST_USE CK_RV registry_verify(struct registry *registry, registry_finding finding, void *context,
                               int64_t *ret_entries, int64_t *ret_findings);

#endif
