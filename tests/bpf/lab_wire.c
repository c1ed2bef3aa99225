/* The smallest proxy that splices with the wire programs, for the lab of namespaces, and
 * the tool that loses packets there.
 *
 *    lab_wire proxy LISTEN PORT SERVER PORT CLIENT_SIDE SERVER_SIDE BYTES [WAY]
 *    (interfaces): relays each connection until BYTES have come from each end and it can be
 *    spliced; says SPLICED each time.  WAY is how packets leave: neigh (both ends are
 *    neighbours), fib, peer, mac=CLIENT,SERVER (their hardware addresses), or wrap: as neigh,
 *    and connects until the server's sequence numbers begin shortly below 2^32
 *    lab_wire loss PERMILLE REPEAT_PERMILLE LATE_PERMILLE INTERFACE
 *    loses, repeats and delays what arrives
 *    lab_wire tag INTERFACE    gives what leaves an 802.1Q tag that only carries a priority
 *    lab_wire mark INTERFACE    marks congestion on what leaves, counts what tells of it
 *
 * All say READY, work until their input ends, and then print what they counted. */

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "bpf/wire.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bpf/lab_loss.skel.h"
#pragma GCC diagnostic pop

enum { PAIRS_MAX = 1024, TRIES_MAX = 200000, ROUNDS_MAX = 4 };
enum { TCX_INGRESS_TYPE = 46, TCX_EGRESS_TYPE = 47, TCX_BEFORE = 1 << 3 };
#define SHORTLY (32u << 20) /* bytes below 2^32 */

struct pair {
	int fds[2];
	struct wire_leg legs[2];
	uint64_t relayed[2];
	unsigned slipped; /* bytes that came to a socket while its pair was handed over */
	uint64_t begins[2]; /* the highest numbers when it began */
};

static struct pair pairs[PAIRS_MAX];
static unsigned pairs_count;
static uint64_t bytes_wanted; /* to be relayed each way before a pair is spliced */
static unsigned interfaces[2]; /* towards the client, the server */
static const char *interface_names[2];
static struct wire_route routes[2]; /* out of these interfaces; next_hop is set for each pair */
static bool is_wrap_wanted;

static void die(const char *what)
{
	fprintf(stderr, "lab_wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned interface_index(const char *name)
{
	unsigned index = if_nametoindex(name);
	if (index == 0)
		die(name);
	return index;
}

static struct ifreq interface_ask(const char *name, unsigned long question)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, question, &request) != 0)
		die(name);
	close(fd);
	return request;
}

static void mac_parse(const char *text, uint8_t mac[6])
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		    &mac[5]) != 6)
		die(text);
}

static void routes_make(const char *way)
{
	static const char *const names[] = {"neigh", "fib", "peer", "mac="};
	enum wire_redirect redirect = WIRE_REDIRECT_NEIGH;
	is_wrap_wanted = strcmp(way, "wrap") == 0;
	for (unsigned i = 0; i < ARRAY_LENGTH(names); i++)
		if (strncmp(way, names[i], strlen(names[i])) == 0)
			redirect = (enum wire_redirect)i;
	for (unsigned i = 0; i < 2; i++) {
		struct ifreq own = interface_ask(interface_names[i], SIOCGIFHWADDR);
		memcpy(routes[i].mac_from, own.ifr_hwaddr.sa_data, sizeof(routes[i].mac_from));
		routes[i].redirect = redirect;
		routes[i].ifindex = interfaces[i];
		routes[i].mtu = (unsigned)interface_ask(interface_names[i], SIOCGIFMTU).ifr_mtu;
		if (redirect == WIRE_REDIRECT_MAC)
			mac_parse(i == 0 ? way + 4 : strchr(way, ',') + 1, routes[i].mac_to);
	}
}

static struct address address_of(const char *host, const char *port)
{
	struct address_spec spec = {.family = AF_UNSPEC};
	struct address address;
	snprintf(spec.host, sizeof(spec.host), "%s", host);
	if (address_resolve(&spec, (uint16_t)strtoul(port, NULL, 10), &address) != 0)
		die(host);
	return address;
}

static struct endpoint endpoint_of(int fd, bool is_peer)
{
	struct address address = {.len = sizeof(address.v6)};
	struct endpoint endpoint;
	if ((is_peer ? getpeername : getsockname)(fd, &address.any, &address.len) != 0)
		die("the socket's address");
	endpoint_from_address(&address, &endpoint);
	return endpoint;
}

static uint32_t clock_of(const struct wire_snapshot *snapshot)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return (uint32_t)(ns / (snapshot->has_usec_clock ? 1000 : 1000000)) + snapshot->ts_offset;
}

/* Moves what there is from one socket to the other.  The writing end blocks. */
static void relay(struct pair *pair, unsigned from)
{
	static char bytes[1 << 18];
	ssize_t len = 1;
	for (unsigned round = 0; round < ROUNDS_MAX && len > 0; round++) {
		len = recv(pair->fds[from], bytes, sizeof(bytes), MSG_DONTWAIT);
		for (ssize_t done = 0; done < len;) {
			ssize_t sent =
				send(pair->fds[1 - from], bytes + done, (size_t)(len - done), MSG_NOSIGNAL);
			if (sent < 0)
				die("send");
			done += sent;
			pair->relayed[from] += (uint64_t)sent;
		}
	}
	if (len == 0)
		die("an end before the splice");
}

static void snapshots_take(struct wire_table *table, const struct pair *pair, struct wire_snapshot ret[2])
{
	if (wire_snapshot_take(table, pair->legs, ret) != 0)
		die("the snapshot");
}

/* Unread bytes do no harm: the mapping counts from what was read.  Segments that wait for a
 * gap would, as what fills it passes the socket by. */
static void enter_drain(struct wire_table *table, unsigned index, struct pair *pair)
{
	struct wire_snapshot now[2];
	uint32_t clock[2];
	for (unsigned tries = 0; tries < TRIES_MAX; tries += pair->relayed[0] >= bytes_wanted) {
		snapshots_take(table, pair, now);
		clock[0] = clock_of(&now[0]);
		clock[1] = clock_of(&now[1]);
		if (wire_flow_map(table, index, now, clock) != 0)
			die("the legs differ");
		bool is_due =
			tries > 0 && pair->relayed[0] >= bytes_wanted && pair->relayed[1] >= bytes_wanted;
		if (is_due && !now[0].has_holes && !now[1].has_holes) {
			struct wire_hot hot[2];
			struct wire_cold cold[2];
			wire_flow_read(table, index, hot, cold);
			pair->begins[0] = hot[0].seq_max;
			pair->begins[1] = hot[1].seq_max;
			wire_flow_set_mode(table, index, WIRE_DRAIN);
			return;
		}
		wire_flow_set_mode(table, index, WIRE_WATCH);
		relay(pair, 0);
		relay(pair, 1);
	}
	die("there are always holes");
}

/* What came to a socket while the mode changed is relayed with the same mapping. */
static bool finish_drain(struct wire_table *table, unsigned index, struct pair *pair)
{
	struct wire_snapshot now[2];
	snapshots_take(table, pair, now);
	pair->slipped += wire_flow_follow(table, index, now);
	if (wire_flow_is_drained(table, index, now))
		return true;
	relay(pair, 0);
	relay(pair, 1);
	return false;
}

static void splice_now(struct wire_table *table, unsigned index, struct pair *pair)
{
	static struct sock_filter drop_all = {.code = BPF_RET | BPF_K};
	struct sock_fprog filter = {.len = 1, .filter = &drop_all};
	if (wire_flow_add(table, index, pair->legs) != 0)
		die("adding the pair");
	for (unsigned d = 0; d < 2; d++) {
		struct wire_route route = routes[1 - d];
		route.next_hop = pair->legs[1 - d].far;
		wire_flow_route(table, index, d, &route);
	}
	enter_drain(table, index, pair);
	/* No program that saw the former mode runs after this. */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0)
		die("membarrier");
	while (!finish_drain(table, index, pair))
		sched_yield();
	wire_flow_set_mode(table, index, WIRE_ACTIVE);
	for (unsigned i = 0; i < 2; i++)
		setsockopt(pair->fds[i], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

static void server_connect(struct pair *pair, const struct address *server)
{
	pair->fds[1] = socket(server->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(pair->fds[1], &server->any, server->len) != 0)
		die("connect");
	for (unsigned i = 0; i < 2; i++) {
		pair->legs[i].far = endpoint_of(pair->fds[i], true);
		pair->legs[i].near = endpoint_of(pair->fds[i], false);
	}
}

static bool is_wrap_near(struct wire_table *table, const struct pair *pair)
{
	struct wire_snapshot now[2];
	snapshots_take(table, pair, now);
	return now[1].rcv_nxt >= -SHORTLY;
}

static void accept_one(struct wire_table *table, int listener, const struct address *server)
{
	struct pair *pair = &pairs[pairs_count];
	pair->fds[0] = accept(listener, NULL, NULL);
	if (pair->fds[0] < 0 || pairs_count == PAIRS_MAX)
		die("accept");
	server_connect(pair, server);
	while (is_wrap_wanted && !is_wrap_near(table, pair)) {
		close(pair->fds[1]);
		server_connect(pair, server);
	}
	splice_now(table, pairs_count++, pair);
	printf("SPLICED\n");
	fflush(stdout);
}

static void print_pairs(struct wire_table *table)
{
	for (unsigned i = 0; i < pairs_count; i++) {
		struct wire_hot hot[2];
		struct wire_cold cold[2];
		wire_flow_read(table, i, hot, cold);
		for (unsigned d = 0; d < 2; d++)
			printf("{\"pair\": %u, \"direction\": %u, \"bytes\": %llu, \"packets\": %llu, \"retransmits\": %u, "
			       "\"highest\": %llu, \"state\": %u, \"outside\": %u, \"malformed\": %u, \"too_big\": %u, \"expired\": %u, "
			       "\"frozen\": %u, \"icmp\": %u, \"told\": %u, \"copies\": %u, \"slipped\": %u}\n",
				i, d, (unsigned long long)(hot[d].seq_max - pairs[i].begins[d]),
				(unsigned long long)hot[d].packets, hot[d].retransmits,
				(unsigned long long)hot[d].seq_max, hot[d].state, cold[d].outside,
				cold[d].malformed, cold[d].too_big, cold[d].expired, cold[d].frozen,
				(unsigned)cold[d].icmp, (unsigned)cold[d].told, (unsigned)hot[d].copies,
				pairs[i].slipped);
	}
}

static void interfaces_attach(struct wire_table *table, char **names)
{
	for (unsigned i = 0; i < 2; i++) {
		interface_names[i] = names[i];
		interfaces[i] = interface_index(names[i]);
		bool is_same = i == 1 && interfaces[1] == interfaces[0];
		if (!is_same && wire_table_attach(table, interfaces[i]) != 0)
			die(names[i]);
	}
}

/* `words` ends with NULL; the last one may be missing. */
static int run_proxy(char **words)
{
	struct address listen_at = address_of(words[0], words[1]), server = address_of(words[2], words[3]);
	char reason[WIRE_REASON_MAX];
	struct wire_table *table;
	if (wire_table_create(PAIRS_MAX, &table, reason) != 0) {
		printf("SKIP %s\n", reason);
		return 77;
	}
	interfaces_attach(table, words + 4);
	routes_make(words[7] != NULL ? words[7] : "neigh");
	int listener = socket(listen_at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(listener, &listen_at.any, listen_at.len) != 0 || listen(listener, 64) != 0)
		die("listen");
	bytes_wanted = strtoull(words[6], NULL, 10);
	printf("READY\n");
	fflush(stdout);
	struct pollfd polled[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	while (poll(polled, 2, -1) > 0 && polled[0].revents == 0)
		accept_one(table, listener, &server);
	print_pairs(table);
	wire_table_destroy(table);
	return 0;
}

static void lab_attach(int program, const char *name, int type)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = TCX_BEFORE);
	if (bpf_link_create(program, (int)interface_index(name), (enum bpf_attach_type)type, &options) < 0)
		die("attaching");
}

struct lab_task {
	const char *loss, *repeat, *late; /* permille */
	const char *lossy, *tagged, *marked; /* interfaces, or NULL */
};

static void lab_attach_all(const struct lab_loss_bpf *skeleton, const struct lab_task *task)
{
	if (task->lossy != NULL)
		lab_attach(bpf_program__fd(skeleton->progs.lab_loss), task->lossy, TCX_INGRESS_TYPE);
	if (task->tagged != NULL)
		lab_attach(bpf_program__fd(skeleton->progs.lab_tag), task->tagged, TCX_EGRESS_TYPE);
	if (task->marked != NULL) {
		lab_attach(bpf_program__fd(skeleton->progs.lab_mark), task->marked, TCX_EGRESS_TYPE);
		lab_attach(bpf_program__fd(skeleton->progs.lab_echo), task->marked, TCX_INGRESS_TYPE);
	}
}

static int run_lab(const struct lab_task *task)
{
	struct lab_loss_bpf *skeleton = lab_loss_bpf__open();
	if (skeleton == NULL)
		die("opening");
	skeleton->rodata->loss_permille = (uint32_t)strtoul(task->loss, NULL, 10);
	skeleton->rodata->repeat_permille = (uint32_t)strtoul(task->repeat, NULL, 10);
	skeleton->rodata->late_permille = (uint32_t)strtoul(task->late, NULL, 10);
	if (lab_loss_bpf__load(skeleton) != 0)
		die("loading");
	lab_attach_all(skeleton, task);
	printf("READY\n");
	fflush(stdout);
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	const struct lab_loss_bpf__bss *bss = skeleton->bss;
	printf("{\"seen\": %llu, \"lost\": %llu, \"repeated\": %llu, \"late\": %llu, \"tagged\": %llu, "
	       "\"marked\": %llu, \"echoed\": %llu}\n",
		(unsigned long long)bss->lab_counts.seen, (unsigned long long)bss->lab_counts.lost,
		(unsigned long long)bss->lab_counts.repeated, (unsigned long long)bss->lab_counts.late,
		(unsigned long long)bss->lab_counts.tagged, (unsigned long long)bss->lab_counts.marked,
		(unsigned long long)bss->lab_counts.echoed);
	lab_loss_bpf__destroy(skeleton);
	return 0;
}

int main(int count, char **words)
{
	struct lab_task task = {.loss = "0", .repeat = "0", .late = "0"};
	if ((count == 9 || count == 10) && strcmp(words[1], "proxy") == 0)
		return run_proxy(words + 2);
	if (count == 6 && strcmp(words[1], "loss") == 0)
		task = (struct lab_task){
			.loss = words[2], .repeat = words[3], .late = words[4], .lossy = words[5]};
	else if (count == 3 && strcmp(words[1], "tag") == 0)
		task.tagged = words[2];
	else if (count == 3 && strcmp(words[1], "mark") == 0)
		task.marked = words[2];
	else {
		fprintf(stderr,
			"usage: lab_wire proxy LISTEN PORT SERVER PORT CLIENT_SIDE SERVER_SIDE BYTES [WAY]\n"
			"       lab_wire loss N N N INTERFACE | tag INTERFACE | mark INTERFACE\n");
		return 2;
	}
	return run_lab(&task);
}
