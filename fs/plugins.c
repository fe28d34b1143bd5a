#include "fs/plugins.h"

#include <errno.h>
#include <stdlib.h>

#include "api/cloud.h"
#include "api/config.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "fs/document.h"
#include "fs/fs.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/question.h"
#include "fs/view.h"

#define BODY_BYTES ((size_t)4 << 20)

static const struct document_kind document_verdict = {
	.target = CLOUD_VALIDATE,
	.variables = 3,
	.question = "{}",
	.ttl = TTL_PLUGINS,
	.single = true,
};

static int need_verdict(struct op *op, const struct node *dir, const struct part **ret_verdict)
{
	struct document *document = document_get_named(op->fs, &document_verdict,
		node_variable(dir, VAR_ENVIRONMENT), node_variable(dir, VAR_CLUSTER), dir->key);
	int result = document ? document_need(op, document) : -ENOMEM;
	if (result == 0) {
		*ret_verdict = document_find(document, "")->parts[PART_WHOLE];
	}
	return result;
}

int plugin_verdict(struct op *op, const struct node *dir, struct strbuf *out)
{
	const struct part *verdict;
	int result = need_verdict(op, dir, &verdict);
	return result == 0 ? view_json(verdict, out) : result;
}

int plugin_template(struct op *op, const struct node *dir, struct strbuf *out)
{
	const struct part *verdict;
	int result = need_verdict(op, dir, &verdict);
	return result == 0 ? view_template(dir->key, verdict, out) : result;
}

int plugin_ask(struct question *question, const char *text, size_t len)
{
	cleanup(config) struct config config = { 0 };
	const struct node *dir = question->node->parent;
	int err = config_parse(text, len, &config, NULL, &question->why);
	config_finish(&question->hidden);
	for (size_t i = 0; i < config.count && err == 0; i++) {
		const struct setting *setting = &config.settings[i];
		if (config_names_secret(setting->name)) {
			err = config_set(&question->hidden, setting->name, setting->value);
		}
	}
	if (err < 0) {
		return err;
	}
	struct strbuf body = STRBUF_INIT(BODY_BYTES);
	config_encode(&config, &body);
	err = body.err;
	if (err == 0) {
		char *target = url_target(CLOUD_VALIDATE, node_variable(dir, VAR_ENVIRONMENT),
			node_variable(dir, VAR_CLUSTER), dir->key);
		err = question_send(
			question, node_fs(question->node)->http, HTTP_PUT, target, &body);
	}
	strbuf_wipe(&body);
	return err;
}
