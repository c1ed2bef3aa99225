/* The programs as clsact filters, where the kernel has no TCX (before Linux 6.6).  Filters stay
 * when their process is killed; then they have no heartbeat, and do nothing. */

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "base/check.h"
#include "bpf/wire_internal.h"

/* The kernel chooses a handle for each, so that those of several processes stand side by side:
 * a program passes on what is not its own. */
enum { FILTER_PRIORITY = 0x5350 };

static uint32_t program_id(int program)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	return bpf_obj_get_info_by_fd(program, &info, &len) == 0 ? info.id : 0;
}

static int filter_attach(unsigned ifindex, enum bpf_tc_attach_point point, int program, uint32_t *ret_handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options, .priority = FILTER_PRIORITY, .prog_fd = program);
	int error = bpf_tc_hook_create(&hook);
	if (error != 0 && error != -EEXIST)
		return error;
	error = bpf_tc_attach(&hook, &options);
	if (error == 0)
		*ret_handle = options.handle;
	return error;
}

bool wire_filter_is_ours(unsigned ifindex, bool is_egress, int program, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		.attach_point = is_egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = FILTER_PRIORITY);
	return bpf_tc_query(&hook, &options) == 0 && options.prog_id == program_id(program);
}

/* The interface may be gone, or the filter, and its handle another's; the qdisc stays, as
 * others may use it. */
static void filter_detach(unsigned ifindex, bool is_egress, int program, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		.attach_point = is_egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = FILTER_PRIORITY);
	if (wire_filter_is_ours(ifindex, is_egress, program, handle))
		(void)bpf_tc_detach(&hook, &options);
}

int wire_filters_attach(struct wire_table *table, struct wire_attachment *attachment, unsigned ifindex)
{
	/* Before any packet meets them. */
	wire_heartbeat_set(table, wire_heartbeat_now());
	int error = filter_attach(ifindex, BPF_TC_INGRESS, table->ingress_fd, &attachment->handle_ingress);
	if (error != 0)
		return error;
	error = filter_attach(ifindex, BPF_TC_EGRESS, table->egress_fd, &attachment->handle_egress);
	if (error != 0)
		filter_detach(ifindex, false, table->ingress_fd, attachment->handle_ingress);
	attachment->is_tcx = false;
	return error;
}

void wire_filters_detach(const struct wire_table *table, const struct wire_attachment *attachment)
{
	filter_detach(attachment->ifindex, false, table->ingress_fd, attachment->handle_ingress);
	filter_detach(attachment->ifindex, true, table->egress_fd, attachment->handle_egress);
}

void wire_table_heartbeat(struct wire_table *table)
{
	wire_table_check(table);
	for (unsigned i = 0; i < WIRE_INTERFACES_MAX; i++)
		if (table->attachments[i].ifindex != 0 && !table->attachments[i].is_tcx) {
			wire_heartbeat_set(table, wire_heartbeat_now());
			return;
		}
}
