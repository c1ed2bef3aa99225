/* What must be unique: names of proxies by role, names of servers, ids, addresses. */
#include <stdlib.h>
#include <string.h>

#include "config/parser.h"

/* One named and numbered thing of whatever kind. */
struct identity {
	const char *what; /* "backend", "server", "bind" */
	const char *name; /* NULL: has none that must be unique */
	unsigned roles; /* two of the same name may not share a role */
	unsigned *id;
	const struct config_place *place;
};

struct identity_list {
	struct identity *items;
	size_t count;
};

static int compare_names(const void *a, const void *b)
{
	const struct identity *left = *(const struct identity *const *)a;
	const struct identity *right = *(const struct identity *const *)b;
	int order = strcmp(left->name, right->name);

	/* Equal names keep the order of the file: both are elements of one array. */
	return order != 0 ? order : left < right ? -1 : left > right;
}

static int compare_ids(const void *a, const void *b)
{
	const struct identity *left = *(const struct identity *const *)a;
	const struct identity *right = *(const struct identity *const *)b;

	if (*left->id != *right->id)
		return *left->id < *right->id ? -1 : 1;
	return left < right ? -1 : left > right;
}

static struct identity **sort(
	struct parser *parser, const struct identity_list *list, int (*compare)(const void *, const void *))
{
	struct identity **sorted = arena_alloc(parser->arena, (list->count + 1) * sizeof(*sorted));

	for (size_t i = 0; i < list->count; i++)
		sorted[i] = &list->items[i];
	qsort(sorted, list->count, sizeof(*sorted), compare);
	return sorted;
}

static void check_names(struct parser *parser, const struct identity_list *list)
{
	struct identity **sorted = sort(parser, list, compare_names);

	for (size_t i = 1; i < list->count && !parser->is_stopped; i++) {
		const struct identity *later = sorted[i];

		/* A name seldom occurs more than twice; the first clash is enough. */
		for (size_t j = i; j-- > 0 && strcmp(sorted[j]->name, later->name) == 0;) {
			const struct identity *earlier = sorted[j];

			if ((earlier->roles & later->roles) == 0)
				continue;
			report_alert_at(parser, later->place, "%s '%s' has the same name as the %s at %s:%u",
				later->what, later->name, earlier->what, earlier->place->file,
				earlier->place->line);
			break;
		}
	}
}

/* Numbers those without an id from `next` on, in order, around those taken. */
static void number(struct parser *parser, const struct identity_list *list, unsigned next)
{
	struct identity **sorted = sort(parser, list, compare_ids);
	size_t taken = 0;

	for (size_t i = 1; i < list->count; i++) {
		if (*sorted[i]->id != 0 && *sorted[i]->id == *sorted[i - 1]->id)
			report_alert_at(parser, sorted[i]->place, "%s '%s': the id %u is taken at %s:%u",
				sorted[i]->what, sorted[i]->name, *sorted[i]->id, sorted[i - 1]->place->file,
				sorted[i - 1]->place->line);
	}
	/* The zeros of the sorted array become numbers as we go, always below those
	 * that the cursor has still to pass. */
	while (taken < list->count && *sorted[taken]->id == 0)
		taken++;
	for (size_t i = 0; i < list->count; i++) {
		if (*list->items[i].id != 0)
			continue;
		for (; taken < list->count && *sorted[taken]->id <= next; taken++)
			next += *sorted[taken]->id == next;
		*list->items[i].id = next++;
	}
}

static void check_servers(struct parser *parser, struct config_proxy *proxy)
{
	struct identity_list list = {0};

	list.items = arena_alloc(parser->arena, (proxy->servers_count + 1) * sizeof(*list.items));
	for (struct config_server *server = proxy->servers; server != NULL; server = server->next)
		list.items[list.count++] =
			(struct identity){"server", server->name, 1, &server->id, &server->place};
	check_names(parser, &list);
	number(parser, &list, 1);
}

static void number_binds(struct parser *parser, struct config_proxy *proxy)
{
	struct identity_list list = {0};
	size_t count = 0;

	for (const struct config_bind *bind = proxy->binds; bind != NULL; bind = bind->next)
		count++;
	list.items = arena_alloc(parser->arena, (count + 1) * sizeof(*list.items));
	for (struct config_bind *bind = proxy->binds; bind != NULL; bind = bind->next)
		list.items[list.count++] = (struct identity){"bind", bind->text, 1, &bind->id, &bind->place};
	number(parser, &list, 1);
}

static void check_proxies(struct parser *parser)
{
	struct identity_list list = {0};
	size_t count = 0;

	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next)
		count++;
	list.items = arena_alloc(parser->arena, (count + 1) * sizeof(*list.items));
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next)
		list.items[list.count++] = (struct identity){section_name(draft->section), draft->proxy.name,
			draft->proxy.roles, &draft->proxy.id, &draft->proxy.place};
	check_names(parser, &list);
	/* HAProxy's runtime socket takes the first number, and its tools know that. */
	number(parser, &list, 2);
}

/* Something that listens. */
struct listening {
	const struct address *address;
	const char *text, *interface;
	const struct config_place *place;
};

static int compare_addresses(const void *a, const void *b)
{
	const struct listening *left = a, *right = b;
	int order = (int)left->address->len - (int)right->address->len;

	if (order == 0)
		order = memcmp(&left->address->any, &right->address->any, left->address->len);
	if (order == 0)
		order = strcmp(left->interface != NULL ? left->interface : "",
			right->interface != NULL ? right->interface : "");
	if (order == 0)
		order = left->place->line < right->place->line ? -1 : left->place->line > right->place->line;
	return order;
}

static bool is_same_address(const struct listening *left, const struct listening *right)
{
	return address_is_equal(left->address, right->address) &&
		strcmp(left->interface != NULL ? left->interface : "",
			right->interface != NULL ? right->interface : "") == 0;
}

static size_t collect_addresses(struct parser *parser, struct listening *ret_items)
{
	size_t count = 0;

	for (const struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		if (draft->proxy.is_disabled)
			continue;
		for (const struct config_bind *bind = draft->proxy.binds; bind != NULL; bind = bind->next) {
			if (bind->address.len == 0)
				continue;
			if (ret_items != NULL)
				ret_items[count] = (struct listening){
					&bind->address, bind->text, bind->interface, &bind->place};
			count++;
		}
	}
	for (const struct config_stats_socket *stats_socket = parser->config->global.stats_sockets;
		stats_socket != NULL; stats_socket = stats_socket->next) {
		if (ret_items != NULL)
			ret_items[count] = (struct listening){
				&stats_socket->address, "stats socket", NULL, &stats_socket->place};
		count++;
	}
	return count;
}

static void check_addresses(struct parser *parser)
{
	size_t count = collect_addresses(parser, NULL);
	struct listening *items = arena_alloc(parser->arena, (count + 1) * sizeof(*items));

	collect_addresses(parser, items);
	qsort(items, count, sizeof(*items), compare_addresses);
	for (size_t i = 1; i < count; i++) {
		if (is_same_address(&items[i - 1], &items[i]))
			report_alert_at(parser, items[i].place,
				"the address of '%s' is already bound at %s:%u", items[i].text,
				items[i - 1].place->file, items[i - 1].place->line);
	}
}

void identity_check(struct parser *parser)
{
	check_proxies(parser);
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		check_servers(parser, &draft->proxy);
		number_binds(parser, &draft->proxy);
	}
	check_addresses(parser);
}
