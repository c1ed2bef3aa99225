/* The table of spliced connections as the workers share it. */
#include "relay/wire_hub.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/route.h"

enum { HEARTBEAT_MS = 1000 };

struct wire_hub {
	struct wire_table *table;
	struct wire_entry *entries;
	unsigned entries_max;
	struct {
		unsigned ifindex;
		bool is_peer;
	} interfaces[WIRE_INTERFACES_MAX];
	unsigned interfaces_count;
	struct loop *control_loop;
	struct loop_watch events_watch, routes_watch;
	struct loop_timer heartbeat;
	struct mnl_socket *routes_monitor;
	unsigned routes_generation;
	pthread_t waiter;
	bool has_waiter;
	pthread_mutex_t lock; /* over what follows, and the entries' shared part */
	pthread_cond_t is_work;
	struct list free;
	unsigned used;
	struct wire_entry *waiting;
	bool is_stopping;
};

/* --- entries --- */

struct wire_entry *wire_hub_get(struct wire_hub *hub, struct loop *loop)
{
	struct wire_entry *entry = NULL;
	pthread_mutex_lock(&hub->lock);
	if (!list_is_empty(&hub->free)) {
		entry = container_of(hub->free.next, struct wire_entry, node);
		list_remove(&entry->node);
		entry->is_used = true;
		__atomic_store_n(&hub->used, hub->used + 1, __ATOMIC_RELAXED);
		entry->event_bits = 0;
		entry->loop = loop;
	}
	pthread_mutex_unlock(&hub->lock);
	return entry;
}

/* With the lock held. */
static void free_if_idle(struct wire_hub *hub, struct wire_entry *entry)
{
	if (!entry->is_used && !entry->is_event_posted && !entry->is_barrier_asked)
		list_add(&hub->free, &entry->node);
}

void wire_hub_put(struct wire_hub *hub, struct wire_entry *entry)
{
	pthread_mutex_lock(&hub->lock);
	CHECK(entry->is_used);
	entry->is_used = false;
	__atomic_store_n(&hub->used, hub->used - 1, __ATOMIC_RELAXED);
	free_if_idle(hub, entry);
	pthread_mutex_unlock(&hub->lock);
}

/* --- records --- */

static void on_event_message(struct loop_message *message)
{
	struct wire_entry *entry = container_of(message, struct wire_entry, event_message);
	struct wire_hub *hub = entry->hub;
	pthread_mutex_lock(&hub->lock);
	unsigned what = entry->event_bits;
	bool is_used = entry->is_used;
	entry->event_bits = 0;
	entry->is_event_posted = false;
	free_if_idle(hub, entry);
	pthread_mutex_unlock(&hub->lock);
	/* Only the owner gives an entry back, and this is its thread. */
	if (is_used)
		entry->on_event(entry, what);
}

static void on_record(void *ctx, const struct wire_event *event)
{
	struct wire_hub *hub = ctx;
	if (event->pair >= hub->entries_max)
		return;
	struct wire_entry *entry = &hub->entries[event->pair];
	const struct wire_pair *pair = wire_table_pair(hub->table, event->pair);
	pthread_mutex_lock(&hub->lock);
	if (entry->is_used && pair->generation == event->generation) {
		entry->event_bits |= event->what;
		if (!entry->is_event_posted) {
			entry->is_event_posted = true;
			loop_post(entry->loop, &entry->event_message);
		}
	}
	pthread_mutex_unlock(&hub->lock);
}

static void on_events_ready(struct loop_watch *watch, unsigned events)
{
	struct wire_hub *hub = container_of(watch, struct wire_hub, events_watch);
	(void)events;
	(void)wire_table_events_read(hub->table);
}

static void on_routes_ready(struct loop_watch *watch, unsigned events)
{
	struct wire_hub *hub = container_of(watch, struct wire_hub, routes_watch);
	(void)events;
	route_monitor_drain(hub->routes_monitor);
	__atomic_add_fetch(&hub->routes_generation, 1, __ATOMIC_RELAXED);
}

static void on_heartbeat(struct loop_timer *timer)
{
	struct wire_hub *hub = container_of(timer, struct wire_hub, heartbeat);
	wire_table_heartbeat(hub->table);
	loop_timer_set(hub->control_loop, timer, loop_now_ms(hub->control_loop) + HEARTBEAT_MS);
}

unsigned wire_hub_routes_generation(const struct wire_hub *hub)
{
	return __atomic_load_n(&hub->routes_generation, __ATOMIC_RELAXED);
}

/* --- the barrier --- */

static void on_barrier_message(struct loop_message *message)
{
	struct wire_entry *entry = container_of(message, struct wire_entry, barrier_message);
	struct wire_hub *hub = entry->hub;
	pthread_mutex_lock(&hub->lock);
	bool is_used = entry->is_used;
	entry->is_barrier_asked = false;
	free_if_idle(hub, entry);
	pthread_mutex_unlock(&hub->lock);
	if (is_used)
		entry->on_barrier(entry);
}

void wire_hub_barrier(struct wire_hub *hub, struct wire_entry *entry)
{
	pthread_mutex_lock(&hub->lock);
	CHECK(entry->is_used && !entry->is_barrier_asked);
	entry->is_barrier_asked = true;
	entry->next_waiting = hub->waiting;
	hub->waiting = entry;
	pthread_cond_signal(&hub->is_work);
	pthread_mutex_unlock(&hub->lock);
}

/* Programs run in RCU read sections, and the barrier waits for all of those.  One wait
 * serves everybody who asked before it. */
static void *waiter_main(void *argument)
{
	struct wire_hub *hub = argument;
	pthread_setname_np(pthread_self(), "wire barrier");
	pthread_mutex_lock(&hub->lock);
	while (!hub->is_stopping) {
		struct wire_entry *entry = hub->waiting;
		hub->waiting = NULL;
		if (entry == NULL) {
			pthread_cond_wait(&hub->is_work, &hub->lock);
			continue;
		}
		pthread_mutex_unlock(&hub->lock);
		CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0);
		pthread_mutex_lock(&hub->lock);
		while (entry != NULL) {
			struct wire_entry *next = entry->next_waiting;
			loop_post(entry->loop, &entry->barrier_message);
			entry = next;
		}
	}
	pthread_mutex_unlock(&hub->lock);
	return NULL;
}

/* --- life --- */

static int interface_attach(struct wire_hub *hub, unsigned ifindex, char *ret_reason)
{
	char name[IF_NAMESIZE] = "?";
	if (wire_hub_carries(hub, ifindex))
		return 0;
	if (hub->interfaces_count == WIRE_INTERFACES_MAX) {
		snprintf(ret_reason, WIRE_REASON_MAX,
			"there are more than %d Ethernet interfaces: name those that matter (wire-interfaces)",
			(int)WIRE_INTERFACES_MAX);
		return -ENOSPC;
	}
	int error = wire_table_attach(hub->table, ifindex);
	if (error == 0) {
		hub->interfaces[hub->interfaces_count++].ifindex = ifindex;
		return 0;
	}
	if_indextoname(ifindex, name);
	snprintf(ret_reason, WIRE_REASON_MAX, "the programs cannot be attached to %s: %s", name,
		strerror(-error));
	return error;
}

static int named_attach(struct wire_hub *hub, const char *const *names, char *ret_reason)
{
	int error = 0;
	for (; *names != NULL && error == 0; names++) {
		unsigned ifindex = if_nametoindex(*names);
		if (ifindex == 0) {
			snprintf(ret_reason, WIRE_REASON_MAX, "there is no interface %s", *names);
			return -ENODEV;
		}
		error = interface_attach(hub, ifindex, ret_reason);
	}
	return error;
}

static int all_attach(struct wire_hub *hub, char *ret_reason)
{
	unsigned indexes[WIRE_INTERFACES_MAX] = {0};
	struct mnl_socket *socket = route_open();
	int count = socket != NULL ? route_interfaces(socket, indexes, WIRE_INTERFACES_MAX) : -errno;
	route_close(socket);
	if (count <= 0) {
		snprintf(ret_reason, WIRE_REASON_MAX, "%s",
			count == 0 ? "there is no Ethernet interface" : strerror(-count));
		return count == 0 ? -ENODEV : count;
	}
	int error = 0;
	for (int i = 0; i < count && error == 0; i++) {
		if (i < WIRE_INTERFACES_MAX)
			error = interface_attach(hub, indexes[i], ret_reason);
		else
			error = interface_attach(hub, 0, ret_reason); /* says that there are too many */
	}
	return error;
}

static int peers_find(struct wire_hub *hub, char *ret_reason)
{
	int found = 0;
	struct mnl_socket *socket = route_open();
	if (socket == NULL)
		found = -errno;
	for (unsigned i = 0; i < hub->interfaces_count && found >= 0; i++) {
		found = route_interface_is_veth_outward(socket, hub->interfaces[i].ifindex);
		hub->interfaces[i].is_peer = found > 0;
	}
	route_close(socket);
	if (found >= 0)
		return 0;
	snprintf(ret_reason, WIRE_REASON_MAX, "the interfaces cannot be read: %s", strerror(-found));
	return found;
}

static int entries_make(struct wire_hub *hub, char *ret_reason)
{
	hub->entries = calloc(hub->entries_max, sizeof(*hub->entries));
	if (hub->entries == NULL) {
		snprintf(ret_reason, WIRE_REASON_MAX, "out of memory");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < hub->entries_max; i++) {
		struct wire_entry *entry = &hub->entries[i];
		entry->index = i;
		entry->hub = hub;
		entry->event_message.run = on_event_message;
		entry->barrier_message.run = on_barrier_message;
		list_add(&hub->free, &entry->node);
	}
	return 0;
}

static int barrier_check(char *ret_reason)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	if (commands >= 0 && (commands & MEMBARRIER_CMD_GLOBAL))
		return 0;
	snprintf(ret_reason, WIRE_REASON_MAX,
		"membarrier(2) is not available (seccomp, or processors without a tick)");
	return -ENOSYS;
}

int wire_hub_create(const struct wire_hub_options *options, struct wire_hub **ret_hub, char *ret_reason)
{
	struct wire_hub *hub = calloc(1, sizeof(*hub));
	if (hub == NULL) {
		snprintf(ret_reason, WIRE_REASON_MAX, "out of memory");
		return -ENOMEM;
	}
	pthread_mutex_init(&hub->lock, NULL);
	pthread_cond_init(&hub->is_work, NULL);
	list_init(&hub->free);
	loop_timer_init(&hub->heartbeat, on_heartbeat);
	hub->events_watch.fd = hub->routes_watch.fd = -1;
	hub->entries_max = options->entries_max;
	int error = barrier_check(ret_reason);
	if (error == 0)
		error = wire_table_create(options->entries_max, &hub->table, ret_reason);
	if (error == 0)
		error = entries_make(hub, ret_reason);
	if (error == 0 && options->interfaces != NULL)
		error = named_attach(hub, options->interfaces, ret_reason);
	else if (error == 0)
		error = all_attach(hub, ret_reason);
	if (error == 0 && options->has_peer_redirect)
		error = peers_find(hub, ret_reason);
	if (error != 0) {
		wire_hub_destroy(hub);
		return error;
	}
	wire_table_set_handler(hub->table, on_record, hub);
	*ret_hub = hub;
	return 0;
}

void wire_hub_destroy(struct wire_hub *hub)
{
	if (hub == NULL)
		return;
	wire_hub_stop(hub);
	for (unsigned i = 0; hub->entries != NULL && i < hub->entries_max; i++)
		CHECK(!hub->entries[i].is_used);
	route_close(hub->routes_monitor);
	wire_table_destroy(hub->table);
	free(hub->entries);
	pthread_cond_destroy(&hub->is_work);
	pthread_mutex_destroy(&hub->lock);
	free(hub);
}

static int watches_add(struct wire_hub *hub)
{
	int error = loop_watch_add(hub->control_loop, &hub->events_watch, wire_table_events_fd(hub->table),
		LOOP_READABLE | LOOP_LEVEL, on_events_ready);
	if (error != 0)
		return error;
	hub->routes_monitor = route_monitor_open();
	if (hub->routes_monitor == NULL)
		return -errno;
	return loop_watch_add(hub->control_loop, &hub->routes_watch, route_monitor_fd(hub->routes_monitor),
		LOOP_READABLE | LOOP_LEVEL, on_routes_ready);
}

int wire_hub_start(struct wire_hub *hub, struct loop *control_loop)
{
	sigset_t all, before;
	hub->control_loop = control_loop;
	on_heartbeat(&hub->heartbeat);
	int error = watches_add(hub);
	if (error == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		error = -pthread_create(&hub->waiter, NULL, waiter_main, hub);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		hub->has_waiter = error == 0;
	}
	if (error != 0)
		wire_hub_stop(hub);
	return error;
}

void wire_hub_stop(struct wire_hub *hub)
{
	struct loop_watch *watches[] = {&hub->events_watch, &hub->routes_watch};
	for (unsigned i = 0; i < ARRAY_LENGTH(watches); i++)
		if (loop_watch_is_live(watches[i]))
			loop_watch_remove(hub->control_loop, watches[i], false);
	if (hub->control_loop != NULL)
		loop_timer_cancel(hub->control_loop, &hub->heartbeat);
	if (!hub->has_waiter)
		return;
	pthread_mutex_lock(&hub->lock);
	hub->is_stopping = true;
	pthread_cond_signal(&hub->is_work);
	pthread_mutex_unlock(&hub->lock);
	pthread_join(hub->waiter, NULL);
	hub->has_waiter = false;
}

struct wire_table *wire_hub_table(const struct wire_hub *hub)
{
	return hub->table;
}

bool wire_hub_carries(const struct wire_hub *hub, unsigned ifindex)
{
	for (unsigned i = 0; i < hub->interfaces_count; i++)
		if (hub->interfaces[i].ifindex == ifindex)
			return true;
	return false;
}

enum wire_redirect wire_hub_redirect(const struct wire_hub *hub, unsigned ifindex)
{
	for (unsigned i = 0; i < hub->interfaces_count; i++)
		if (hub->interfaces[i].ifindex == ifindex && hub->interfaces[i].is_peer)
			return WIRE_REDIRECT_PEER;
	return WIRE_REDIRECT_NEIGH;
}

unsigned wire_hub_entries_max(const struct wire_hub *hub)
{
	return hub->entries_max;
}

unsigned wire_hub_entries_used(const struct wire_hub *hub)
{
	return __atomic_load_n(&hub->used, __ATOMIC_RELAXED);
}
