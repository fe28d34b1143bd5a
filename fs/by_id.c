#include "fs/by_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/name.h"
#include "fs/op.h"
#include "fs/topology.h"

#define ID_BYTES   256
#define PATH_BYTES 4096

/* Of a place in a listing: room for so many clusters and connectors that ever were. */
#define CLUSTER_BITS   14
#define CONNECTOR_BITS 34

struct entry_of_id {
	struct table_link link; /* by the id's hash */
	uint64_t place;         /* the item's */
};

/* Where the connectors of one document are, as of one answer. */
struct id_index {
	struct id_index *next; /* in fs->ids */
	struct document *document;
	int64_t built_at; /* the document's fetched_at then */
	struct table table;
	struct entry_of_id *entries;
};

static uint64_t id_hash(const char *id)
{
	return hash_mix(hash_bytes(HASH_START, id, strlen(id)));
}

static void index_clear(struct id_index *index)
{
	table_finish(&index->table);
	free(index->entries);
	index->entries = NULL;
}

void by_id_destroy(struct fs *fs)
{
	while (fs->ids) {
		struct id_index *index = fs->ids;
		fs->ids = index->next;
		index_clear(index);
		free(index);
	}
}

/* 0, -ENOENT (it has none) or -ENOMEM. */
static int add_id(const struct item *item, struct strbuf *out)
{
	strbuf_reset(out);
	connector_id(item, out);
	return out->err ? out->err : out->len > 0 ? 0 : -ENOENT;
}

static void index_build(struct id_index *index)
{
	const struct document *document = index->document;
	struct strbuf id = STRBUF_INIT(ID_BYTES);
	index_clear(index);
	index->entries = calloc(document->count + 1, sizeof(*index->entries));
	index->built_at = index->entries ? document->fetched_at : 0;
	for (size_t i = 0; index->entries && i < document->count; i++) {
		struct entry_of_id *entry = &index->entries[i];
		entry->place = document->items[i]->place;
		if (add_id(document->items[i], &id) == 0) {
			table_add(&index->table, &entry->link, id_hash(strbuf_str(&id)));
		}
	}
	strbuf_finish(&id);
}

static struct id_index *index_of(struct fs *fs, struct document *document)
{
	struct id_index *index = fs->ids;
	while (index && index->document != document) {
		index = index->next;
	}
	if (!index) {
		index = calloc(1, sizeof(*index));
		if (!index) {
			return NULL;
		}
		index->document = document;
		index->next = fs->ids;
		fs->ids = index;
	}
	if (index->built_at != document->fetched_at) {
		index_build(index);
	}
	return index;
}

/* What the index says may be of yesterday: it is looked at. */
static struct item *find_in(struct id_index *index, const char *wanted)
{
	struct strbuf id = STRBUF_INIT(ID_BYTES);
	struct table_link *link = table_find(&index->table, id_hash(wanted));
	struct item *found = NULL;
	for (; link && !found; link = table_find_next(link)) {
		uint64_t place = table_entry(link, struct entry_of_id, link)->place;
		struct item *item = document_from(index->document, place);
		if (item && add_id(item, &id) == 0 && strcmp(strbuf_str(&id), wanted) == 0) {
			found = item;
		}
	}
	strbuf_finish(&id);
	return found;
}

struct search {
	struct fs *fs;
	const char *id;
	struct item *found;
};

static int search_document(void *arg, struct document *connectors)
{
	struct search *search = arg;
	struct id_index *index = index_of(search->fs, connectors);
	search->found = index ? find_in(index, search->id) : NULL;
	return search->found != NULL;
}

static bool looks_like_id(const char *name)
{
	return strncmp(name, "lcc-", 4) == 0 || strncmp(name, "clcc-", 5) == 0;
}

/* The connector of an id: where the answers at hand have it, only those of its own cluster are
 * asked for anew. 0, OP_WAIT or -errno. */
static int find(struct op *op, const char *id, struct item **ret_item)
{
	struct search search = { op->fs, id, NULL };
	struct document *document, *next;
	int result = -ENOENT;
	HASH_ITER (hh, op->fs->documents, document, next) {
		if (document->kind == &document_connectors && document->fetched_at &&
			search_document(&search, document)) {
			result = document_need(op, document);
			break;
		}
	}
	if (result == 0 && search_document(&search, document)) {
		*ret_item = search.found;
		return 0;
	}
	if (result == OP_WAIT || !looks_like_id(id)) {
		return result;
	}
	/* What was found cannot be had, or is there no longer. */
	search.found = NULL;
	result = topology_connectors(op, INT64_MAX, true, search_document, &search);
	*ret_item = search.found;
	return search.found ? 0 : result;
}

/* 0 also where the item has no id, or one that is too long for a name. */
static int visit_item(const struct item *item, uint64_t place, child_visitor *visit, void *arg)
{
	struct strbuf id = STRBUF_INIT(ID_BYTES);
	struct strbuf target = STRBUF_INIT(PATH_BYTES);
	int result = add_id(item, &id);
	char *name = result == 0 ? name_encode(strbuf_str(&id)) : NULL;
	char *environment = name_encode(item->document->environment);
	char *cluster = name_encode(item->document->cluster);
	char *connector = name_encode(item->name);
	if (name && environment && cluster && connector) {
		strbuf_addf(&target, "../environments/%s/clusters/%s/connectors/%s", environment,
			cluster, connector);
		struct child child = { name, NULL, strbuf_str(&target), target.len, place };
		result = target.err ? target.err : visit(arg, &child);
	} else {
		result = 0;
	}
	strbuf_finish(&id);
	strbuf_finish(&target);
	free(name);
	free(environment);
	free(cluster);
	free(connector);
	return result;
}

struct listing {
	child_visitor *visit;
	void *arg;
};

static uint64_t place_in(struct document *list, const char *name)
{
	const struct item *item = list ? document_find(list, name) : NULL;
	return item ? item->place : 0;
}

/* Where a cluster's connectors begin: as the lists that it is found by have it. */
static uint64_t first_place(const struct document *connectors)
{
	struct fs *fs = connectors->fs;
	const char *environment = connectors->environment;
	uint64_t above =
		place_in(document_get(fs, &document_environments, NULL, NULL), environment);
	uint64_t own = place_in(
		document_get(fs, &document_clusters, environment, NULL), connectors->cluster);
	return ((above << CLUSTER_BITS | own) << CONNECTOR_BITS) + 1;
}

static int visit_document(void *arg, struct document *connectors)
{
	const struct listing *listing = arg;
	uint64_t first = first_place(connectors);
	int result = 0;
	for (size_t i = 0; i < connectors->count && result == 0; i++) {
		const struct item *item = connectors->items[i];
		result = visit_item(item, first + item->place, listing->visit, listing->arg);
	}
	return result;
}

int by_id_connectors(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg)
{
	struct listing listing = { visit, arg };
	(void)dir;
	if (!only) {
		return topology_connectors(op, INT64_MAX, false, visit_document, &listing);
	}
	struct item *item = NULL;
	char *id = name_decode(only);
	int result = id ? find(op, id, &item) : -errno;
	free(id);
	return item ? visit_item(item, 0, visit, arg) : result == -ENOENT ? 0 : result;
}
