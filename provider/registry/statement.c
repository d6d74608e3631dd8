/* SPDX-License-Identifier: Apache-2.0 */
/* All SQL of the registry. doc/registry-format.md explains the tables. */
#include "registry/store.h"

/* Which entries hand over to another authority. Registries of before that was possible get it with the first. */
#define HANDOVER_SCHEMA "CREATE TABLE IF NOT EXISTS handovers (sequence INTEGER PRIMARY KEY)"

/* Times that are noted of a CKA_ID, by their kind: see note.c. Older registries get it with the first. */
#define NOTE_SCHEMA "CREATE TABLE IF NOT EXISTS notes (kind TEXT NOT NULL, id BLOB NOT NULL," \
                    " time INTEGER NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID"

const char store_schema[] =
	"CREATE TABLE entries ("
	" sequence INTEGER PRIMARY KEY,"
	" previous BLOB NOT NULL,"
	" payload BLOB NOT NULL,"
	" signature BLOB NOT NULL);"
	"CREATE TABLE head ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" sequence INTEGER NOT NULL,"
	" hash BLOB NOT NULL,"
	" issued INTEGER NOT NULL,"
	" expires INTEGER NOT NULL,"
	" signature BLOB NOT NULL);"
	"CREATE TABLE versions ("
	" object INTEGER PRIMARY KEY,"
	" sequence INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" number INTEGER NOT NULL,"
	" id BLOB NOT NULL UNIQUE,"
	" state TEXT NOT NULL,"
	" UNIQUE (name, number));"
	"CREATE INDEX active_versions ON versions (name) WHERE state = 'active';"
	"CREATE TABLE keys ("
	" name TEXT PRIMARY KEY NOT NULL,"
	" sequence INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE token ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" sequence INTEGER NOT NULL);"
	"CREATE TABLE objects ("
	" object INTEGER PRIMARY KEY,"
	" sequence INTEGER NOT NULL,"
	" removed INTEGER NOT NULL,"
	" class INTEGER NOT NULL,"
	" label BLOB NOT NULL,"
	" id BLOB NOT NULL);"
	"CREATE INDEX objects_by_label ON objects (label);"
	"CREATE INDEX objects_by_id ON objects (id);"
	HANDOVER_SCHEMA ";"
	"CREATE TABLE intents ("
	" id BLOB PRIMARY KEY NOT NULL,"
	" name TEXT NOT NULL,"
	" number INTEGER NOT NULL,"
	" since INTEGER NOT NULL,"
	" UNIQUE (name, number)) WITHOUT ROWID;"
	NOTE_SCHEMA ";";

/* Filters that every search ends with: ?1 before, ?2 active only, ?3 destroyed too, ?4 how many. */
#define SEARCH_STATES \
	" AND (?2 = 0 OR state = 'active')" \
	" AND (?3 = 1 OR state NOT IN ('destroy-pending', 'destroyed'))"
#define SEARCH_END " AND object < ?1" SEARCH_STATES " ORDER BY object DESC LIMIT ?4"
/*
 * The same of one key, by its numbers: a version that was taken up late is no newer for that. "+"
 * keeps a number's index from being used: there may be many versions, and one that is active.
 */
#define SEARCH_NAME_END(number) \
	" AND " number " < CASE WHEN ?1 = 9223372036854775807 THEN ?1" \
	" ELSE (SELECT b.number FROM versions AS b WHERE b.object = ?1) END" \
	SEARCH_STATES " ORDER BY " number " DESC LIMIT ?4"

/* The same of objects: ?1 before, ?2 how many, ?3 of this class only. */
#define OBJECTS_END \
	" AND object < ?1 AND (?3 IS NULL OR class = ?3) ORDER BY object DESC LIMIT ?2"

/*
 * What the payloads of a version (v) and of its key (k) say; 0 for what is missing or is no
 * time, which then counts as due: whoever reads the record finds out.
 */
#define SAYS(entry, member) "json_extract(CAST(" entry ".payload AS TEXT), '$." member "')"
#define NUMBER(entry, member) "coalesce(" SAYS(entry, member) ", 0)"
#define TIME(member) "coalesce(CAST(strftime('%s', " SAYS("ve", member) ") AS INTEGER), 0)"
#define IS_JSON(entry) "json_valid(CAST(" entry ".payload AS TEXT))"
#define KEPT "(SELECT count(*) FROM versions AS o WHERE o.name = v.name" \
             " AND o.state IN ('active', 'deactivated', 'compromised'))"

const char *const statement_texts[STATEMENT_COUNT] = {
	[ENTRY_INSERT] = "INSERT INTO entries (sequence, previous, payload, signature)"
	                 " VALUES (?1, ?2, ?3, ?4)",
	[HANDOVER_TABLE] = "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
	                   " AND name = 'handovers'",
	[HANDOVER_TABLE_MAKE] = HANDOVER_SCHEMA,
	[HANDOVERS] = "SELECT h.sequence, e.previous, e.payload, e.signature FROM handovers AS h"
	              " LEFT JOIN entries AS e ON e.sequence = h.sequence ORDER BY h.sequence"
	              " LIMIT 1000" /* HANDOVERS_MAX */,
	[HANDOVER_SEQUENCES] = "SELECT sequence FROM handovers ORDER BY sequence LIMIT 1000",
	[HANDOVER_INSERT] = "INSERT INTO handovers (sequence) VALUES (?1)",
	/* The left side is one made row, so that an empty registry also gives one. */
	[HEAD_READ] = "SELECT (SELECT max(sequence) FROM entries), h.sequence, h.hash, h.issued,"
	              " h.expires, h.signature, e.previous, e.payload, e.signature"
	              " FROM (SELECT 1 AS one) AS o LEFT JOIN head AS h ON h.one = o.one"
	              " LEFT JOIN entries AS e ON e.sequence = h.sequence",
	[HEAD_WRITE] = "INSERT OR REPLACE INTO head (one, sequence, hash, issued, expires, signature)"
	               " VALUES (1, ?1, ?2, ?3, ?4, ?5)",
	[VERSION_READ] = "SELECT v.sequence, v.name, v.number, v.id, v.state,"
	                 " e.previous, e.payload, e.signature FROM versions AS v"
	                 " LEFT JOIN entries AS e ON e.sequence = v.sequence WHERE v.object = ?1",
	[VERSION_SEQUENCE] = "SELECT sequence FROM versions WHERE object = ?1",
	[VERSION_INSERT] = "INSERT INTO versions (object, sequence, name, number, id, state)"
	                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[VERSION_UPDATE] = "UPDATE versions SET sequence = ?2, state = ?6 WHERE object = ?1"
	                   " AND sequence < ?2 AND name = ?3 AND number = ?4 AND id = ?5",
	[KEY_READ] = "SELECT k.sequence, e.previous, e.payload, e.signature FROM keys AS k"
	             " LEFT JOIN entries AS e ON e.sequence = k.sequence WHERE k.name = ?1",
	[KEY_WRITE] = "INSERT OR REPLACE INTO keys (name, sequence) VALUES (?1, ?2)",
	[TOKEN_READ] = "SELECT t.sequence, e.previous, e.payload, e.signature FROM token AS t"
	               " LEFT JOIN entries AS e ON e.sequence = t.sequence WHERE t.one = 1",
	[TOKEN_WRITE] = "INSERT OR REPLACE INTO token (one, sequence) VALUES (1, ?1)",
	[OBJECT_READ] = "SELECT o.sequence, e.previous, e.payload, e.signature FROM objects AS o"
	                " LEFT JOIN entries AS e ON e.sequence = o.sequence"
	                " WHERE o.object = ?1 AND o.removed = 0",
	[OBJECT_INSERT] = "INSERT INTO objects (object, sequence, removed, class, label, id)"
	                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[OBJECT_UPDATE] = "UPDATE objects SET sequence = ?2, removed = ?3, class = ?4, label = ?5,"
	                  " id = ?6 WHERE object = ?1 AND sequence < ?2",
	/* Three, so that each goes by its index. */
	[SEARCH_OBJECTS] = "SELECT object FROM objects WHERE removed = 0" OBJECTS_END,
	[SEARCH_OBJECTS_LABEL] = "SELECT object FROM objects WHERE removed = 0 AND label = ?4"
	                         OBJECTS_END,
	[SEARCH_OBJECTS_ID] = "SELECT object FROM objects WHERE removed = 0 AND id = ?5"
	                      " AND (?4 IS NULL OR label = ?4)" OBJECTS_END,
	/* A preselection: "sign" is among the usages, or somewhere else. Class 1: CKO_CERTIFICATE. */
	[UNCERTIFIED] = "SELECT v.object FROM versions AS v"
	                " LEFT JOIN entries AS e ON e.sequence = v.sequence WHERE v.object > ?1"
	                " AND v.state IN ('pre-active', 'active', 'deactivated')"
	                " AND NOT EXISTS (SELECT 1 FROM objects AS o WHERE o.id = v.id"
	                " AND o.removed = 0 AND o.class = 1)"
	                " AND instr(CAST(e.payload AS TEXT), '\"sign\"') > 0"
	                " ORDER BY v.object LIMIT ?2",
	[OBJECT_ROW] = "SELECT sequence, removed FROM objects WHERE object = ?1",
	[SEARCH_ALL] = "SELECT object FROM versions WHERE (?6 = 0 OR number = ?6)" SEARCH_END,
	[SEARCH_ID] = "SELECT object FROM versions WHERE id = ?5 AND (?7 IS NULL OR name = ?7)"
	              " AND (?6 = 0 OR number = ?6)" SEARCH_END,
	[SEARCH_NAME] = "SELECT object FROM versions WHERE name = ?5" SEARCH_NAME_END("number"),
	[SEARCH_NAME_ACTIVE] = "SELECT object FROM versions WHERE name = ?5 AND state = 'active'"
	                       SEARCH_NAME_END("+number"),
	[SEARCH_NUMBER] = "SELECT object FROM versions WHERE name = ?5 AND number = ?6" SEARCH_END,
	[ACTIVES] = "SELECT object, id FROM versions WHERE state = 'active'",
	[KEY_NAMES] = "SELECT name FROM keys WHERE name > ?1 ORDER BY name LIMIT ?2",
	[DUE] = "SELECT DISTINCT v.name FROM versions AS v JOIN keys AS k ON k.name = v.name"
	        " LEFT JOIN entries AS ve ON ve.sequence = v.sequence"
	        " LEFT JOIN entries AS ke ON ke.sequence = k.sequence"
	        " WHERE v.state <> 'destroyed' AND CASE"
	        " WHEN " IS_JSON("ve") " AND " IS_JSON("ke") " THEN CASE v.state"
	        " WHEN 'active' THEN (" NUMBER("ke", "rotate_every") " > 0"
	        " AND " TIME("protect_from") " + " NUMBER("ke", "rotate_every") " <= ?1)"
	        " OR (" SAYS("ve", "superseded") " IS NOT NULL AND " TIME("protect_until") " <= ?1)"
	        " WHEN 'pre-active' THEN " TIME("protect_from") " <= ?1"
	        " WHEN 'destroy-pending' THEN "
	        TIME("state_since") " + " NUMBER("ke", "destroy_after") " <= ?1"
	        " ELSE (" NUMBER("ke", "keep_for") " > 0"
	        " AND " TIME("state_since") " + " NUMBER("ke", "keep_for") " <= ?1)"
	        " OR (" NUMBER("ke", "keep_versions") " > 0"
	        " AND " KEPT " > " NUMBER("ke", "keep_versions") ") END"
	        " ELSE 1 END",
	[COUNT] = "SELECT (SELECT count(*) FROM keys), (SELECT count(*) FROM versions),"
	          " (SELECT count(*) FROM token), (SELECT count(*) FROM objects)",
	[ID_IN_USE] = "SELECT EXISTS (SELECT 1 FROM versions WHERE id = ?1)"
	              " OR EXISTS (SELECT 1 FROM intents WHERE id = ?1)",
	[NEXT_NUMBER] = "SELECT 1 + max(coalesce((SELECT max(number) FROM versions WHERE name = ?1), 0),"
	                " coalesce((SELECT max(number) FROM intents WHERE name = ?1), 0))",
	[INTENT_INSERT] = "INSERT INTO intents (id, name, number, since) VALUES (?1, ?2, ?3, ?4)",
	[INTENT_READ] = "SELECT id, name, number, since FROM intents ORDER BY since, name, number",
	/*
	 * The sign of "since" says it, so that the format stays as it is; never 0, and no
	 * overflow. 2^40, INTENT_MARK, less: the pair is being removed, which stays so.
	 */
	[INTENT_GIVE_UP] = "UPDATE intents SET since = -1099511627776"
	                   " - abs(max(since, -9223372036854775807)) % 1099511627776 WHERE id = ?1",
	[INTENT_FAIL] = "UPDATE intents SET since = CASE WHEN since <= -1099511627776 THEN since"
	                " ELSE -max(1, ?2) END WHERE id = ?1",
	[INTENT_TAKE_BACK] = "INSERT OR IGNORE INTO intents (id, name, number, since)"
	                     " SELECT ?1, ?2, ?3, -max(1, ?4)"
	                     " WHERE NOT EXISTS (SELECT 1 FROM versions WHERE id = ?1)",
	[INTENT_USE] = "DELETE FROM intents WHERE id = ?1 AND since >= ?2",
	[INTENT_DELETE] = "DELETE FROM intents WHERE id = ?1",
	[INTENT_COUNT] = "SELECT count(*) FROM intents WHERE id = ?1",
	[NOTE_TABLE] = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'notes'",
	[NOTE_TABLE_MAKE] = NOTE_SCHEMA,
	[NOTE_INSERT] = "INSERT OR REPLACE INTO notes (kind, id, time) VALUES (?1, ?2, ?3)",
	[NOTE_READ] = "SELECT time FROM notes WHERE kind = ?1 AND id = ?2",
	[NOTES_CLEAR] = "DELETE FROM notes WHERE kind = ?1",
	[NOTES_OF_INTENTS] = "DELETE FROM notes WHERE kind = ?1 AND id NOT IN (SELECT id FROM intents)",
	[ENTRIES] = "SELECT sequence, previous, payload, signature FROM entries ORDER BY sequence",
	[ENTRIES_FROM] = "SELECT sequence, previous, payload, signature FROM entries"
	                 " WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2",
	[ENTRY_READ] = "SELECT previous, payload, signature FROM entries WHERE sequence = ?1",
	[VERSION_ROW] = "SELECT sequence, name, number, id, state FROM versions WHERE object = ?1",
	[VERSION_ROWS] = "SELECT v.object, v.sequence, e.previous, e.payload, e.signature"
	                 " FROM versions AS v LEFT JOIN entries AS e ON e.sequence = v.sequence",
	[KEY_ROWS] = "SELECT k.name, k.sequence, e.previous, e.payload, e.signature"
	             " FROM keys AS k LEFT JOIN entries AS e ON e.sequence = k.sequence",
	[INTEGRITY] = "PRAGMA integrity_check(20)",
	[DATA_VERSION] = "PRAGMA data_version",
	[BEGIN_READ] = "BEGIN",
	[BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
};
