/* What follows when servers go away or come back: sessions are ended where the
 * configuration says so.  And the clock of their slow starts. */
#pragma once

#include "worker/instance.h"

/* On the control thread, before the workers start and after they have ended. */
void server_events_watch(struct instance *instance);
void server_events_unwatch(struct instance *instance);
