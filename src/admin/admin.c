/* Puts the control plane together and takes it apart. */
#include "admin/admin.h"

#include <errno.h>
#include <stdlib.h>

#include "admin/admin_internal.h"
#include "admin/metrics_server.h"
#include "admin/runtime_server.h"

int admin_create(struct instance *instance, struct admin **ret_admin)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	if (!admin)
		return -ENOMEM;
	admin->instance = instance;
	admin->loop = instance->control_loop;
	admin->global = &instance->config->global;
	admin->maxconn_initial = stat_gauge(&instance->limits.maxconn);
	int error = stat_objects_create(instance, &admin->objects);
	if (error == 0)
		error = sampler_start(&admin->sampler, instance, &admin->objects);
	if (error == 0 && admin->global->has_metrics)
		error = metrics_server_create(admin, &admin->metrics);
	/* Last: its paths are taken from the process before us, which may have to go on without us. */
	if (error == 0)
		error = runtime_server_create(admin, &admin->runtime);
	if (error != 0) {
		admin_destroy(admin);
		return error;
	}
	*ret_admin = admin;
	return 0;
}

int admin_sockets_offer(const struct admin *admin, struct socket_set *set)
{
	int error = instance_sockets_offer(admin->instance, set);
	if (error == 0)
		error = runtime_server_offer(admin->runtime, set);
	if (error == 0)
		error = metrics_server_offer(admin->metrics, set);
	return error;
}

void admin_sockets_given(struct admin *admin)
{
	admin->instance->is_given_away = true;
	instance_own_files(admin->instance, false);
}

void admin_client_serve(struct admin *admin, int fd, const char *line)
{
	runtime_server_adopt(admin->runtime, fd, line);
}

void admin_leave(struct admin *admin)
{
	if (!admin->instance->is_given_away)
		return;
	runtime_server_leave(admin->runtime);
	metrics_server_leave(admin->metrics);
}

void admin_destroy(struct admin *admin)
{
	if (!admin)
		return;
	metrics_server_destroy(admin->metrics);
	runtime_server_destroy(admin->runtime);
	sampler_stop(&admin->sampler);
	stat_objects_release(&admin->objects);
	free(admin);
}
