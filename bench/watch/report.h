/* What `splicebench watch` prints: one JSON object, or a table for people. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "watch.h"

/* The caller owns the object; NULL when memory is short. */
json_t *watch_report_json(const struct watch_report *report);
void watch_report_print(const struct watch_report *report, FILE *out);
