/* Plugins that people bring along: those of the organization (connect/v1), and those of an
 * environment with their versions (ccpm/v1). */
#ifndef FS_CUSTOM_H
#define FS_CUSTOM_H

#include "fs/document.h"

extern const struct document_kind document_custom_plugins;      /* of the organization */
extern const struct document_kind document_environment_plugins; /* of an environment */
extern const struct document_kind document_versions;

#endif
