#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "fs/fs.h"
#include "fs/node.h"
#include "fs/ops.h"

struct handle *handle_create(struct fs *fs, struct node *node)
{
	struct handle *handle = calloc(1, sizeof(*handle));
	if (handle) {
		handle->node = node_ref(node);
		DL_APPEND(fs->handles, handle);
	}
	return handle;
}

void handle_set_active(struct handle *handle, bool active)
{
	if (handle->writes && handle->active != active) {
		handle->active = active;
		handle->node->writers += active ? 1 : -1U;
	}
}

void handle_destroy(struct fs *fs, struct handle *handle)
{
	DL_DELETE(fs->handles, handle);
	if (handle->text) {
		explicit_bzero(handle->text, handle->len);
		free(handle->text);
	}
	local_wipe_unreachable(handle->node);
	node_unref(handle->node);
	free(handle);
}

void handles_destroy(struct fs *fs)
{
	while (fs->handles) {
		handle_destroy(fs, fs->handles);
	}
}
