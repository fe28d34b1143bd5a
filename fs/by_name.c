#include "fs/by_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/topology.h"

/* The name that people gave an environment or cluster, its id where they gave none; to be freed. */
static char *display_name(const struct item *item)
{
	struct json_slice value = part_json(item->parts[PART_WHOLE]);
	struct json_slice name = json_get(value, "display_name");
	if (!name.text) {
		name = json_get(value, "spec/display_name");
	}
	char *text = json_type(name) == JSON_STRING ? json_decode_cstr(name) : NULL;
	return text ? text : strdup(item->name);
}

static bool is_shared(const struct document *document, const struct item *item, const char *name)
{
	for (size_t i = 0; i < document->count; i++) {
		const struct item *other = document->items[i];
		char *its = other == item ? NULL : display_name(other);
		bool same = its && strcmp(its, name) == 0;
		free(its);
		if (same) {
			return true;
		}
	}
	return false;
}

/* The file name of an item, to be freed; NULL: it has none. */
static char *child_name(const struct document *document, const struct item *item)
{
	char *name = display_name(item);
	struct strbuf full = STRBUF_INIT(4096);
	if (!name) {
		return NULL;
	}
	strbuf_adds(&full, name);
	if (is_shared(document, item, name)) {
		strbuf_addf(&full, " (%s)", item->name);
	}
	char *encoded = full.err ? NULL : name_encode(strbuf_str(&full));
	strbuf_finish(&full);
	free(name);
	return encoded;
}

static int visit_items(
	const struct document *document, const char *prefix, child_visitor *visit, void *arg)
{
	int result = 0;
	for (size_t i = 0; i < document->count && result == 0; i++) {
		const struct item *item = document->items[i];
		struct strbuf target = STRBUF_INIT(4096);
		char *name = child_name(document, item);
		char *id = name_encode(item->name);
		strbuf_addf(&target, "%s%s", prefix, id ? id : "");
		if (name && id) {
			struct child child = { name, item->name, strbuf_str(&target), target.len,
				item->place + 1 };
			result = visit(arg, &child);
		}
		strbuf_finish(&target);
		free(name);
		free(id);
	}
	return result;
}

int by_name_environments(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg)
{
	(void)dir;
	(void)only;
	struct document *document = document_get(op->fs, &document_environments, NULL, NULL);
	int result = document ? document_need(op, document) : -ENOMEM;
	return result == 0 ? visit_items(document, "", visit, arg) : result;
}

int by_name_clusters(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg)
{
	(void)only;
	struct document *document = document_get(op->fs, &document_clusters, dir->key, NULL);
	int result = document ? document_need(op, document) : -ENOMEM;
	if (result != 0) {
		return result;
	}
	struct strbuf prefix = STRBUF_INIT(1024);
	char *id = name_encode(dir->key);
	strbuf_addf(&prefix, "../../environments/%s/clusters/", id ? id : "");
	free(id);
	result = visit_items(document, strbuf_str(&prefix), visit, arg);
	strbuf_finish(&prefix);
	return result;
}
