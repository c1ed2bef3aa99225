/* The functions behind the columns about health checks and agents. */
#pragma once

#include "admin/stat_getters.h"

STAT_GETTER(check_failed);
STAT_GETTER(check_status);
STAT_GETTER(check_code);
STAT_GETTER(check_duration);
STAT_GETTER(check_text);
STAT_GETTER(check_sentence);
STAT_GETTER(check_rise);
STAT_GETTER(check_fall);
STAT_GETTER(check_health);
STAT_GETTER(agent_status);
STAT_GETTER(agent_duration);
STAT_GETTER(agent_text);
STAT_GETTER(agent_sentence);
STAT_GETTER(agent_rise);
STAT_GETTER(agent_fall);
STAT_GETTER(agent_health);
