/* What an Ethernet interface does for packets that pass. */
#pragma once

/* One line on standard output. */
void probe_interface_print(unsigned ifindex);
