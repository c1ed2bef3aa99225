/* /stats.json: {"info": {…}, "relay": {…}, "proxies": [{…}, …]}. */
#pragma once

#include "admin/metrics_page.h"

/* As metrics_page_fill(). */
bool metrics_json_fill(struct metrics_page *page, struct text_grow *out);
