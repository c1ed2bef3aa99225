/* The functions behind columns that are more than one counter. */
#pragma once

#include "admin/stat_object.h"
#include "admin/stat_value.h"

#define STAT_GETTER(name) \
	void stat_get_##name(const struct stat_object *object, uint64_t now_ms, struct stat_value *value)

STAT_GETTER(proxy_name);
STAT_GETTER(object_name);
STAT_GETTER(queue_now);
STAT_GETTER(queue_max);
STAT_GETTER(sessions_now);
STAT_GETTER(sessions_max);
STAT_GETTER(sessions_limit);
STAT_GETTER(status);
STAT_GETTER(weight);
STAT_GETTER(active);
STAT_GETTER(backup);
STAT_GETTER(down_count);
STAT_GETTER(last_change);
STAT_GETTER(downtime);
STAT_GETTER(queue_limit);
STAT_GETTER(process);
STAT_GETTER(proxy_id);
STAT_GETTER(object_id);
STAT_GETTER(type);
STAT_GETTER(rate);
STAT_GETTER(rate_limit);
STAT_GETTER(rate_max);
STAT_GETTER(last_session);
STAT_GETTER(queue_time);
STAT_GETTER(connect_time);
STAT_GETTER(total_time);
STAT_GETTER(address);
STAT_GETTER(mode);
STAT_GETTER(algorithm);
STAT_GETTER(user_weight);
STAT_GETTER(throttle);
STAT_GETTER(tracked);
