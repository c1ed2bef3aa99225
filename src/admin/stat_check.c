/* Reads what the columns about health checks and agents show.  A server without shows
 * nothing, nor one whose checks rest. */
#include "admin/stat_check.h"

#include <stdio.h>

#include "check/check.h"
#include "check/check_status.h"

/* "* L4OK": another one is under way. */
static void status_set(const struct check_view *view, struct stat_value *value)
{
	char text[16];
	bool is_marked = view->is_running && view->status > CHECK_INITIAL;
	snprintf(text, sizeof(text), "%s%s", is_marked ? "* " : "", check_status_row(view->status)->name);
	stat_set_string(value, text);
}

static bool is_finished(const struct check_view *view)
{
	return view->status > CHECK_INITIAL;
}

/* Those that run. */
static bool view_get(const struct stat_object *object, enum check_kind kind, struct check_view *ret_view)
{
	return check_view(object->server, kind, ret_view) && ret_view->is_enabled && !ret_view->is_paused;
}

#define CHECK_GETTER(name, kind, action)             \
	STAT_GETTER(name)                            \
	{                                            \
		struct check_view view;              \
		(void)now_ms;                        \
		if (view_get(object, kind, &view)) { \
			action;                      \
		}                                    \
	}

#define SET_NUMBER(type, number) stat_set_number(value, type, number)
#define SET_DURATION()          \
	if (is_finished(&view)) \
	SET_NUMBER(STAT_U64, view.duration_ms)

/* A counter does not go away for a while. */
STAT_GETTER(check_failed)
{
	struct check_view view;
	(void)now_ms;
	if (check_view(object->server, CHECK_HEALTH, &view))
		stat_set_number(value, STAT_U64, view.failed);
}

CHECK_GETTER(check_status, CHECK_HEALTH, status_set(&view, value))
CHECK_GETTER(check_code, CHECK_HEALTH,
	if (check_status_row(view.status)->has_code) SET_NUMBER(STAT_U32, view.code))
CHECK_GETTER(check_duration, CHECK_HEALTH, SET_DURATION())
CHECK_GETTER(check_text, CHECK_HEALTH, stat_set_string(value, view.text))
CHECK_GETTER(check_sentence, CHECK_HEALTH, stat_set_string(value, check_status_row(view.status)->sentence))
CHECK_GETTER(check_rise, CHECK_HEALTH, SET_NUMBER(STAT_U32, view.rise))
CHECK_GETTER(check_fall, CHECK_HEALTH, SET_NUMBER(STAT_U32, view.fall))
CHECK_GETTER(check_health, CHECK_HEALTH, SET_NUMBER(STAT_U32, view.value))
CHECK_GETTER(agent_status, CHECK_AGENT, status_set(&view, value))
CHECK_GETTER(agent_duration, CHECK_AGENT, SET_DURATION())
CHECK_GETTER(agent_text, CHECK_AGENT, stat_set_string(value, view.text))
CHECK_GETTER(agent_sentence, CHECK_AGENT, stat_set_string(value, check_status_row(view.status)->sentence))
CHECK_GETTER(agent_rise, CHECK_AGENT, SET_NUMBER(STAT_U32, view.rise))
CHECK_GETTER(agent_fall, CHECK_AGENT, SET_NUMBER(STAT_U32, view.fall))
CHECK_GETTER(agent_health, CHECK_AGENT, SET_NUMBER(STAT_U32, view.value))
