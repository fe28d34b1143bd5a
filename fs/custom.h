/*
 * Plugins that people bring along: those of the organization (connect/v1), and those of an
 * environment with their versions (ccpm/v1).
 */
#ifndef FS_CUSTOM_H
#define FS_CUSTOM_H

#include "fs/folder.h"

struct op;
struct save;
struct unanswered;

extern const struct document_kind document_custom_plugins;      /* of the organization */
extern const struct document_kind document_environment_plugins; /* of an environment */
extern const struct document_kind document_versions;

extern const struct folder_kind custom_plugin_folder;
extern const struct folder_kind environment_plugin_folder;
extern const struct folder_kind version_folder;

/* Commits plugin.json or version.json (route.h): a PATCH, or, where mkdir made the directory, a
 * create as soon as the archive that it needs is there. */
int custom_save(struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how);
/* The network's half of a create (save_run.h): presigned URL, upload, POST. */
int custom_create(struct save *save);
/* What is known of a create that nobody has answered. Accepts NULL. */
void unanswered_destroy(struct unanswered *unanswered);

#endif
