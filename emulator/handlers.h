/* The handlers behind the table of routes; see routes.h. */
#ifndef EMULATOR_HANDLERS_H
#define EMULATOR_HANDLERS_H

#include "emulator/emulator.h"

#define HANDLER(name) \
	void name(struct emulator *emulator, const struct request *request, struct reply *reply)

/* org/v2, in org.c */
HANDLER(org_list_environments);
HANDLER(org_get_environment);
HANDLER(org_list_organizations);
HANDLER(org_get_organization);

/* cmk/v2, in cmk.c */
HANDLER(cmk_list_clusters);
HANDLER(cmk_get_cluster);

/* connect/v1: reading, in connect.c */
HANDLER(connect_list);
HANDLER(connect_get);
HANDLER(connect_get_config);
HANDLER(connect_get_status);
HANDLER(connect_get_tasks);
HANDLER(connect_list_plugins);
HANDLER(connect_validate);

/* connect/v1: offsets, in connect_offsets.c */
HANDLER(connect_get_offsets);
HANDLER(connect_alter_offsets);
HANDLER(connect_get_offsets_status);

/* connect/v1: runtimes, in runtimes.c */
HANDLER(custom_list_runtimes);

/* connect/v1: writing, in connect_write.c */
HANDLER(connect_create);
HANDLER(connect_put_config);
HANDLER(connect_delete);
HANDLER(connect_pause);
HANDLER(connect_resume);

/* connect/v1: custom plugins, in custom_plugins.c and presigned.c */
HANDLER(custom_list);
HANDLER(custom_create);
HANDLER(custom_get);
HANDLER(custom_update);
HANDLER(custom_delete);
HANDLER(custom_presign);

/* ccpm/v1, in ccpm.c and presigned.c */
HANDLER(ccpm_list);
HANDLER(ccpm_create);
HANDLER(ccpm_get);
HANDLER(ccpm_update);
HANDLER(ccpm_delete);
HANDLER(ccpm_list_versions);
HANDLER(ccpm_create_version);
HANDLER(ccpm_presign);

/* Where presigned URLs lead, in storage.c */
HANDLER(storage_post);
HANDLER(storage_put_azure);
HANDLER(storage_put_gcp);

/* metrics v2, in metrics_list.c, metrics_query.c and metrics_export.c */
HANDLER(metrics_list);
HANDLER(metrics_list_resources);
HANDLER(metrics_query);
HANDLER(metrics_attributes);
HANDLER(metrics_export);

/* The control API, in control.c, control_account.c and control_plugins.c */
HANDLER(control_get_requests);
HANDLER(control_clear_requests);
HANDLER(control_get_faults);
HANDLER(control_add_fault);
HANDLER(control_clear_faults);
HANDLER(control_put_settings);
HANDLER(control_get_settings);
HANDLER(control_get_plugins);
HANDLER(control_patch_plugin);
HANDLER(control_get_uploads);
HANDLER(control_patch_upload);
HANDLER(control_get_account);
HANDLER(control_get_connector);
HANDLER(control_patch_connector);
HANDLER(control_post_lists);
HANDLER(control_post_environments);
HANDLER(control_post_clusters);

#endif
