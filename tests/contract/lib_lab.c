/* The lab of the contract: made with ip(8), in namespaces without names. */
#include "lib_lab.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HERE "/proc/thread-self/ns/net"

static struct {
	bool is_tried;
	const char *refusal;
	int home, hosts[LAB_HOSTS];
} lab;

enum { WORDS_MAX = 16, LINE_MAX_BYTES = 160 };

/* Runs a program with the words of a line; true when it answers 0. */
static bool do_line(const char *line)
{
	char words[LINE_MAX_BYTES], *list[WORDS_MAX + 1] = {NULL}, *rest = NULL;
	unsigned count = 0;
	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok_r(words, " ", &rest); word != NULL && count < WORDS_MAX;
		word = strtok_r(NULL, " ", &rest))
		list[count++] = word;
	pid_t pid = fork();
	if (pid == 0) {
		execvp(list[0], list);
		_exit(127);
	}
	int status = 1;
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool do_lines(char lines[][LINE_MAX_BYTES], unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!do_line(lines[i]))
			return false;
	return true;
}

/* One that paces would make the cases slow. */
static void congestion_set(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "we");
	if (file == NULL)
		return;
	fputs("cubic", file);
	fclose(file);
}

static bool make_namespace(int *ret_fd)
{
	if (unshare(CLONE_NEWNET) != 0)
		return false;
	*ret_fd = open(HERE, O_RDONLY | O_CLOEXEC);
	congestion_set();
	return *ret_fd >= 0 && do_line("ip link set lo up");
}

/* ip(8) takes a namespace by the number of a process in it.  Returns when it is there. */
static pid_t keeper_start(int namespace)
{
	int ends[2];
	char byte = 0;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		if (setns(namespace, CLONE_NEWNET) != 0 || write(ends[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	bool is_there = pid > 0 && read(ends[0], &byte, 1) == 1;
	close(ends[0]);
	return is_there ? pid : -1;
}

static bool link_make(enum lab_host host, const char *name, int network)
{
	char near[4][LINE_MAX_BYTES], far[3][LINE_MAX_BYTES];
	pid_t keeper = keeper_start(lab.hosts[host]);
	if (keeper < 0)
		return false;
	snprintf(near[0], LINE_MAX_BYTES, "ip link add %s type veth peer name eth netns %d", name,
		(int)keeper);
	snprintf(near[1], LINE_MAX_BYTES, "ip addr add 10.78.%d.1/24 dev %s", network, name);
	snprintf(near[2], LINE_MAX_BYTES, "ip addr add fd78:%d::1/64 dev %s nodad", network, name);
	snprintf(near[3], LINE_MAX_BYTES, "ip link set %s up", name);
	snprintf(far[0], LINE_MAX_BYTES, "ip addr add 10.78.%d.2/24 dev eth", network);
	snprintf(far[1], LINE_MAX_BYTES, "ip addr add fd78:%d::2/64 dev eth nodad", network);
	snprintf(far[2], LINE_MAX_BYTES, "ip link set eth up");
	lab_enter(LAB_PROXY);
	bool is_made = do_lines(near, 4);
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
	lab_enter(host);
	return is_made && do_lines(far, 3);
}

static const char *make_all(void)
{
	lab.home = open(HERE, O_RDONLY | O_CLOEXEC);
	if (lab.home < 0)
		return "no network namespaces";
	for (unsigned i = 0; i < LAB_HOSTS; i++)
		if (!make_namespace(&lab.hosts[i]))
			return "network namespaces cannot be made (it takes root and ip(8))";
	if (!link_make(LAB_CLIENT, "client", 1) || !link_make(LAB_SERVER, "server", 2))
		return "veth pairs cannot be made";
	return NULL;
}

const char *lab_refusal(void)
{
	if (!lab.is_tried) {
		lab.is_tried = true;
		lab.refusal = make_all();
		lab_leave();
	}
	return lab.refusal;
}

void lab_enter(enum lab_host host)
{
	if (setns(lab.hosts[host], CLONE_NEWNET) != 0)
		abort();
}

void lab_leave(void)
{
	if (lab.home > 0 && setns(lab.home, CLONE_NEWNET) != 0)
		abort();
}

const char *lab_address(enum lab_host host, enum lab_host neighbour, int is_v4)
{
	bool is_server_side = host == LAB_SERVER || neighbour == LAB_SERVER;
	if (host == LAB_PROXY)
		return is_v4 ? (is_server_side ? "10.78.2.1" : "10.78.1.1")
			     : (is_server_side ? "fd78:2::1" : "fd78:1::1");
	return is_v4 ? (is_server_side ? "10.78.2.2" : "10.78.1.2")
		     : (is_server_side ? "fd78:2::2" : "fd78:1::2");
}
