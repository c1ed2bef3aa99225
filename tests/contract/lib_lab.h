/* Three network namespaces in a row, client, proxy and server, for engines that need packets on
 * an interface.  The calling thread steps from one to another; nothing of it outlives the
 * process. */
#pragma once

enum lab_host { LAB_PROXY, LAB_CLIENT, LAB_SERVER, LAB_HOSTS };

/* NULL when it is there (it is made by the first call), else why not, in words. */
const char *lab_refusal(void);
/* From now on sockets are made there. */
void lab_enter(enum lab_host host);
/* Back to where the process began. */
void lab_leave(void);
/* The address of a host on the network that it shares with `neighbour`, as text. */
const char *lab_address(enum lab_host host, enum lab_host neighbour, int is_v4);
