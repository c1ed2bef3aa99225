/* The readings of machine.h. */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"

int machine_init(struct machine *machine, int folder_fd)
{
	*machine = (struct machine){.stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC)};
	int result = machine->stat_fd < 0 ? -errno : 0;
	machine->softnet_fd = open("/proc/net/softnet_stat", O_RDONLY | O_CLOEXEC);
	machine->memory_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	machine->sockets_fd = openat(folder_fd, "net/sockstat", O_RDONLY | O_CLOEXEC);
	machine->sockets6_fd = openat(folder_fd, "net/sockstat6", O_RDONLY | O_CLOEXEC);
	return result;
}

static void sockets_refresh(struct machine *machine, struct proc_file *file)
{
	struct socket_stat sockets;
	uint64_t tcp6_inuse = 0;
	if (machine->sockets_fd < 0 || proc_file_read(file, machine->sockets_fd) < 0 ||
		socket_stat_parse(file->bytes, &sockets) < 0)
		return;
	if (machine->sockets6_fd >= 0 && proc_file_read(file, machine->sockets6_fd) == 0 &&
		socket6_stat_parse(file->bytes, &tcp6_inuse) == 0)
		sockets.tcp_inuse += tcp6_inuse;
	machine->last.sockets = sockets;
}

void machine_refresh(struct machine *machine, struct proc_file *file)
{
	struct machine_reading *last = &machine->last;
	int result = 0;
	if (proc_file_read(file, machine->stat_fd) == 0)
		result |= machine_stat_parse(file->bytes, &last->stat);
	if (machine->softnet_fd >= 0 && proc_file_read(file, machine->softnet_fd) == 0)
		result |= softnet_stat_parse(file->bytes, &last->softnet);
	if (machine->memory_fd >= 0 && proc_file_read(file, machine->memory_fd) == 0)
		result |= memory_stat_parse(file->bytes, &last->memory);
	sockets_refresh(machine, file);
	(void)result; /* what could not be read keeps its last values */
}

void machine_start(struct machine *machine, struct proc_file *file)
{
	machine_refresh(machine, file);
	machine->first = machine->last;
}

void machine_release(struct machine *machine)
{
	if (machine == NULL)
		return;
	fd_close(&machine->stat_fd);
	fd_close(&machine->softnet_fd);
	fd_close(&machine->memory_fd);
	fd_close(&machine->sockets_fd);
	fd_close(&machine->sockets6_fd);
}
