/* Why the kernel does not take BPF programs. */

#include "bpf/refusal.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/status.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"

static const struct {
	int number;
	const char *name;
} capabilities[] = {
	{CAP_BPF, "CAP_BPF"},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{CAP_PERFMON, "CAP_PERFMON"},
};

/* libbpf's last complaint, for reasons that are not foreseen here. */
static _Thread_local char last_complaint[128];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN)
		return 0;
	char line[sizeof(last_complaint)];
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	/* The verifier's log comes in between, line by line. */
	if (strncmp(line, "libbpf:", 7) == 0 && strstr(line, "LOG") == NULL)
		memcpy(last_complaint, line, sizeof(last_complaint));
	return 0;
}

void refusal_listen(void)
{
	last_complaint[0] = '\0';
	libbpf_set_print(keep_complaint);
}

/* The first capability that is not held, or NULL. */
static const char *find_missing_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	if (syscall(SYS_capget, &header, data) != 0)
		return NULL;
	/* CAP_SYS_ADMIN stands for the two that were split from it. */
	bool is_admin = data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
	for (size_t i = 0; i < ARRAY_LENGTH(capabilities); i++) {
		int number = capabilities[i].number;
		bool is_held = data[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number);
		if (!is_held && !(is_admin && number != CAP_NET_ADMIN))
			return capabilities[i].name;
	}
	return NULL;
}

void refusal_explain(int error, const char *needed, char *ret_reason, size_t size)
{
	struct utsname name = {.release = "?"};
	const char *missing = find_missing_capability();
	uname(&name);
	if (access(BTF_PATH, R_OK) != 0)
		snprintf(ret_reason, size, "the kernel gives no type information (%s)", BTF_PATH);
	else if (missing != NULL)
		snprintf(ret_reason, size, "the process lacks %s", missing);
	else if (error == EPERM)
		snprintf(ret_reason, size, "bpf(2) is forbidden here (seccomp, lockdown or a container)");
	else if (error == EINVAL || error == ENOTSUP)
		snprintf(ret_reason, size, "Linux %s does not take the programs (%s is needed): %s",
			name.release, needed, last_complaint);
	else
		snprintf(ret_reason, size, "the programs did not load: %s: %s", strerror(error),
			last_complaint);
}
