/* One interface: its driver, size, queues and offloads. */

#include "start/probe_interface.h"

#include <dirent.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"

static bool ethtool_ask(int fd, const char *name, void *question)
{
	struct ifreq request = {.ifr_data = question};
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static const char *switch_word(int fd, const char *name, uint32_t command)
{
	struct ethtool_value value = {.cmd = command};
	if (!ethtool_ask(fd, name, &value))
		return "unknown";
	return value.data != 0 ? "on" : "off";
}

static unsigned queues_count(const char *name)
{
	char path[64 + IF_NAMESIZE];
	unsigned count = 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return 0;
	for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
		count += strncmp(entry->d_name, "rx-", 3) == 0;
	closedir(folder);
	return count;
}

static int mtu_of(int fd, const char *name)
{
	struct ifreq request = {0};
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

void probe_interface_print(unsigned ifindex)
{
	char name[IF_NAMESIZE];
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	FD_AUTO int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || if_indextoname(ifindex, name) == NULL)
		return;
	bool has_driver = ethtool_ask(fd, name, &driver);
	unsigned queues = queues_count(name);
	printf("  %s: driver %s, MTU %d", name, has_driver ? driver.driver : "unknown", mtu_of(fd, name));
	/* /sys may show another network namespace. */
	if (queues > 0)
		printf(", %u receive queue%s", queues, queues == 1 ? "" : "s");
	printf(", GRO %s, GSO %s, TSO %s\n", switch_word(fd, name, ETHTOOL_GGRO),
		switch_word(fd, name, ETHTOOL_GGSO), switch_word(fd, name, ETHTOOL_GTSO));
}
