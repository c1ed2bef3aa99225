/* What is said about mistakes: the exact sentence, its line, and that one mistake
 * does not hide the next. */
#include "config_fixtures.h"

#define OK_TAIL "listen ok\n bind 127.0.0.1:1\n server s 127.0.0.1:2\n"

struct error_case {
	const char *text;
	const char *message; /* after "config : " */
};

/* Each is refused with this message. */
static const struct error_case alerts[] = {
	/* sections */
	{"foo\n", "[test.cfg:1] : 'foo' stands outside of a section."},
	{"golbal\n", "[test.cfg:1] : 'golbal' unknown outside of a section, did you mean 'global'?"},
	{"global x\n", "[test.cfg:1] : 'global' has an argument too many: 'x'."},
	{"backend\n", "[test.cfg:1] : 'backend' needs a name."},
	{"backend a b\n", "[test.cfg:1] : 'backend' has an argument too many: 'b'."},
	{"backend a%b\n",
		"[test.cfg:1] : character '%' is not permitted in the name 'a%b': letters, digits, '-', '_', '.' and ':' are."},
	{"frontend f from x\n", "[test.cfg:1] : there is no defaults section 'x' above this line."},
	{"frontend f from\n", "[test.cfg:1] : 'from' needs the name of a defaults section."},
	{"defaults a\ndefaults a\nlisten l from a\n",
		"[test.cfg:3] : defaults section 'a' is ambiguous: it is at test.cfg:1 and at test.cfg:2."},
	{"peers p\n peer a 1.2.3.4:5\n", "[test.cfg:1] : section 'peers' is not supported in this version."},
	{"cache c\n",
		"[test.cfg:1] : section 'cache' is for HTTP, which spliced does not carry (mode tcp only)."},
	/* lines */
	{"global\n description \"a\n", "[test.cfg:2] : the quote is not closed, at column 14."},
	{"global\n daemon", "[test.cfg:2] : the last line has no line feed: the file may have been cut."},
	/* words */
	{"backend b\n balanse roundrobin\n",
		"[test.cfg:2] : 'balanse' unknown in section 'backend', did you mean 'balance'?"},
	{"backend b\n nothinglikeit\n", "[test.cfg:2] : 'nothinglikeit' unknown in section 'backend'."},
	{"backend b\n timeout conect 1s\n",
		"[test.cfg:2] : 'timeout conect' unknown in section 'backend', did you mean 'timeout connect'?"},
	{"backend b\n option redispach\n",
		"[test.cfg:2] : 'option redispach' unknown in section 'backend', did you mean 'option redispatch'?"},
	{"backend b\n option\n", "[test.cfg:2] : 'option' needs to be followed by what it sets."},
	{"global\n stats sockt /x\n",
		"[test.cfg:2] : 'stats sockt' unknown in section 'global', did you mean 'stats socket'?"},
	{"global\n tune.maxacept 3\n",
		"[test.cfg:2] : 'tune.maxacept' unknown in section 'global', did you mean 'tune.maxaccept'?"},
	{"backend b\n option bal\n", "[test.cfg:2] : 'option bal' unknown in section 'backend'."},
	{"backend b\n nbthread 1\n",
		"[test.cfg:2] : 'nbthread' is not allowed in section 'backend', only in 'global'."},
	{"defaults\n bind :1\n",
		"[test.cfg:2] : 'bind' is not allowed in section 'defaults', only in 'frontend' and 'listen'."},
	{"defaults\n server a 1.2.3.4:1\n",
		"[test.cfg:2] : 'server' is not allowed in section 'defaults', only in 'backend' and 'listen'."},
	{"frontend f\n server a 1.2.3.4:1\n",
		"[test.cfg:2] : 'server' is not allowed in section 'frontend', only in 'backend' and 'listen'."},
	{"global\n no maxconn 3\n", "[test.cfg:2] : 'no' cannot stand in front of 'maxconn'."},
	{"global\n no\n", "[test.cfg:2] : 'no' needs a keyword after it."},
	{"backend b\n retries 3 4\n", "[test.cfg:2] : 'retries' has an argument too many: '4'."},
	{"backend b\n weight 3\n", "[test.cfg:2] : 'weight' unknown in section 'backend'."},
	/* refused words */
	{"backend b\n http-request deny\n",
		"[test.cfg:2] : 'http-request' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"backend b\n stats enable\n",
		"[test.cfg:2] : 'stats enable' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"backend b\n stats socket /x\n",
		"[test.cfg:2] : 'stats socket' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"backend b\n option httplog\n",
		"[test.cfg:2] : 'option httplog' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"defaults\n timeout http-request 1s\n",
		"[test.cfg:2] : 'timeout http-request' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"backend b\n stick-table type ip\n",
		"[test.cfg:2] : 'stick-table' is not supported in this version."},
	{"backend b\n stick on src\n", "[test.cfg:2] : 'stick' is not supported in this version."},
	{"backend b\n option external-check\n",
		"[test.cfg:2] : 'option external-check' is not supported in this version."},
	{"backend b\n no option tcp-check\n",
		"[test.cfg:2] : 'no' cannot stand in front of 'option tcp-check'."},
	{"backend b\n default option tcpka\n", "[test.cfg:2] : 'default' is not supported in this version."},
	{"global\n hard-stop-spread 3s\n",
		"'hard-stop-spread' is the last part of 'hard-stop-after', which has to be given and to be as long."},
	{"global\n mworker-max-reloads 3\n",
		"[test.cfg:2] : 'mworker-max-reloads' is not supported in this version."},
	{"global\n tune.ssl.default-dh-param 2048\n",
		"[test.cfg:2] : 'tune.ssl.default-dh-param' is not supported in this version."},
	{"global\n ssl-default-bind-options x\n",
		"[test.cfg:2] : 'ssl-default-bind-options' is not supported in this version."},
	{"backend b\n server s 1.2.3.4:1 check-ssl\n",
		"[test.cfg:2] : 'check-ssl' is not supported in this version."},
	/* checks */
	{"backend b\n tcp-check set-var(x) int(1)\n",
		"[test.cfg:2] : 'tcp-check set-var(x)' is not supported in this version."},
	{"backend b\n http-check send-state\n",
		"[test.cfg:2] : 'http-check send-state' is not supported in this version."},
	{"backend b\n tcp-check expect string\n",
		"[test.cfg:2] : 'tcp-check expect': 'string' lacks its value."},
	{"backend b\n tcp-check expect\n",
		"[test.cfg:2] : 'tcp-check expect' expects [min-recv <bytes>] [comment <text>] [ok-status <status>] [error-status <status>] [tout-status <status>] [!] {string <text> | rstring <regex> | binary <digits> | rbinary <regex>}."},
	{"backend b\n tcp-check expect strin x\n",
		"[test.cfg:2] : 'tcp-check expect' does not know 'strin', it expects [min-recv <bytes>] [comment <text>] [ok-status <status>] [error-status <status>] [tout-status <status>] [!] {string <text> | rstring <regex> | binary <digits> | rbinary <regex>}."},
	{"backend b\n tcp-check expect string a string b\n",
		"[test.cfg:2] : 'tcp-check expect' expects one thing only."},
	{"backend b\n tcp-check expect rstring a(b\n",
		"[test.cfg:2] : the regular expression 'a(b' is wrong: missing closing parenthesis, at character 4."},
	{"backend b\n tcp-check expect binary 123\n",
		"[test.cfg:2] : 'tcp-check expect' expects an even number of hexadecimal digits, up to 16384."},
	{"backend b\n tcp-check send-binary 12zz\n",
		"[test.cfg:2] : 'tcp-check send-binary': 'zz' are no hexadecimal digits."},
	{"backend b\n tcp-check expect min-recv 20000 string x\n",
		"[test.cfg:2] : 'min-recv' expects a number from -1 to 16384, not '20000'."},
	{"backend b\n tcp-check expect ok-status L7STS string x\n",
		"[test.cfg:2] : 'ok-status' does not know the status 'L7STS'."},
	{"backend b\n tcp-check connect port 70000\n",
		"[test.cfg:2] : 'tcp-check connect port' expects a port from 1 to 65535, not '70000'."},
	{"backend b\n tcp-check connect ssl\n",
		"[test.cfg:2] : 'tcp-check connect' does not know 'ssl', it expects [default] [port <port>] [addr <address>] [send-proxy] [linger] [comment <text>]."},
	{"backend b\n http-check expect status 200-199\n",
		"[test.cfg:2] : 'http-check expect status' expects codes such as 200,300-399, at most 64, not '200-199'."},
	{"backend b\n http-check send hdr Host \"a\\r\\nb\"\n",
		"[test.cfg:2] : 'http-check send hdr': 'Host: a??b' is no header, or one that is to be formatted, which this version cannot."},
	{"backend b\n option pgsql-check\n", "[test.cfg:2] : 'option pgsql-check' expects user <name>."},
	{"backend b\n option mysql-check user a pre-41\n",
		"[test.cfg:2] : 'option mysql-check' speaks the protocol of MySQL 4.1 and later only, not 'pre-41'."},
	{"backend b\n option smtpchk EHLO\n",
		"[test.cfg:2] : 'option smtpchk' expects [{HELO | EHLO} <domain>]."},
	{"backend b\n server s 1.2.3.4:1 check addr 1.2.3.4/8\n",
		"[test.cfg:2] : 'addr' expects an IP address or a host's name without a port, not '1.2.3.4/8'."},
	{"backend b\n server s 1.2.3.4:1 check rise 0\n",
		"[test.cfg:2] : 'rise' expects a number from 1 to 65535, not '0'."},
	{"backend b\n server s 1.2.3.4:1 observe layer7\n",
		"[test.cfg:2] : 'observe layer7' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"backend b\n server s 1.2.3.4:1 on-error mark-dwn\n",
		"[test.cfg:2] : 'on-error' does not know 'mark-dwn', did you mean 'mark-down'?"},
	{"listen l\n bind :1\n server s 1.2.3.4:1 observe layer4\n",
		"[test.cfg:3] : server 's': 'observe' needs 'check'."},
	{"listen l\n bind :1\n server s 1.2.3.4 check\n",
		"[test.cfg:3] : server 's' has no port of its own: its check needs 'port'."},
	{"listen l\n bind :1\n server s 1.2.3.4:1 agent-check\n",
		"[test.cfg:3] : server 's': 'agent-check' needs 'agent-port'."},
	{"listen l\n bind :1\n server t 1.2.3.4:1\n server s 1.2.3.4:1 check track t\n",
		"[test.cfg:4] : server 's' follows another one ('track') and cannot have a check of its own."},
	{"global\n spread-checks 51\n",
		"[test.cfg:2] : 'spread-checks' expects a number from 0 to 50, not '51'."},
	{"backend b\n server s 1.2.3.4:1 cookie c\n",
		"[test.cfg:2] : 'cookie' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"frontend f\n bind :1 accept-netscaler-cip 1\n",
		"[test.cfg:2] : 'accept-netscaler-cip' is not supported in this version."},
	/* accept-proxy and send-proxy */
	{"frontend f\n bind :1 accept-proxy\n",
		"[test.cfg:2] : 'accept-proxy' alone would let everybody choose the address they seem to come from; say whose word may be taken: 'accept-proxy trusted <network>[,<network>...]' with the addresses of the proxies in front, or 'accept-proxy trusted any' if nobody else can reach this address."},
	{"frontend f\n bind :1 accept-proxy trusted 10.0.0.1/8\n",
		"[test.cfg:2] : 'accept-proxy trusted': '10.0.0.1/8' is no network such as 10.0.0.0/8 or 2001:db8::/32: the address has bits behind the prefix: write the network's first address."},
	{"frontend f\n bind :1 accept-proxy trusted any,10.0.0.0/8\n",
		"[test.cfg:2] : 'accept-proxy trusted any' trusts everybody: nothing may stand beside 'any'."},
	{"frontend f\n bind :1 accept-proxy trusted unix\n",
		"[test.cfg:2] : 'accept-proxy' trusts nobody who could connect to ':1': no network is named."},
	{"frontend f\n bind :1,/a.sock accept-proxy trusted ::1\n",
		"[test.cfg:2] : 'accept-proxy' trusts nobody who could connect to '/a.sock': a unix socket's clients are trusted by the word 'unix'."},
	{"backend b\n server a 1.2.3.4:1 proxy-v2-options crc32c,ssl\n",
		"[test.cfg:2] : 'proxy-v2-options': 'ssl' is about TLS with the client, which spliced passes through and does not see into."},
	{"backend b\n server a 1.2.3.4:1 proxy-v2-options uniqueid\n",
		"[test.cfg:2] : 'proxy-v2-options' does not know 'uniqueid', did you mean 'unique-id'?"},
	{"backend b\n server a 1.2.3.4:1 no-send-proxy-v2-ssl\n",
		"[test.cfg:2] : 'no-send-proxy-v2-ssl' is not supported in this version."},
	{"global\n stats socket /x name y\n", "[test.cfg:2] : 'name' is not supported in this version."},
	{"backend b\n mode http\n",
		"[test.cfg:2] : 'mode http': spliced carries TCP only; HTTP passes through it untouched in 'mode tcp'."},
	{"backend b\n mode foo\n", "[test.cfg:2] : 'mode' expects tcp."},
	/* values */
	{"global\n maxconn abc\n",
		"[test.cfg:2] : 'maxconn' expects a number from 0 to 100000000, not 'abc'."},
	{"global\n maxconn\n", "[test.cfg:2] : 'maxconn' expects <connections>."},
	{"global\n wire-interfaces\n", "[test.cfg:2] : 'wire-interfaces' expects all or <interface> ..."},
	{"global\n wire-interfaces an-interface-too-far\n",
		"[test.cfg:2] : 'wire-interfaces' expects up to 64 names of interfaces, not 'an-interface-too-far'."},
	{"global\n nbthread 0\n", "[test.cfg:2] : 'nbthread' expects a number from 1 to 256, not '0'."},
	{"global\n user no.such.user\n", "[test.cfg:2] : 'user': there is no user 'no.such.user'."},
	{"global\n group no.such.group\n", "[test.cfg:2] : 'group': there is no group 'no.such.group'."},
	{"global\n uid a\n", "[test.cfg:2] : 'uid' expects a number from 0 to 2147483647, not 'a'."},
	{"global\n tune.pipesize 1x\n",
		"[test.cfg:2] : 'tune.pipesize' expects 4096 to 67108864 bytes (k, m and g are understood), not '1x'."},
	{"global\n relay fast\n",
		"[test.cfg:2] : 'relay': there is no engine 'fast'; there are: auto, copy, sockmap, splice, uring."},
	{"backend b\n relay splise\n",
		"[test.cfg:2] : 'relay': there is no engine 'splise', did you mean 'splice'?"},
	{"global\n loop\n", "[test.cfg:2] : 'loop' expects auto, epoll or uring."},
	{"global\n loop urin\n", "[test.cfg:2] : 'loop' does not know 'urin', did you mean 'uring'?"},
	{"defaults\n loop uring\n",
		"[test.cfg:2] : 'loop' is not allowed in section 'defaults', only in 'global'."},
	{"global\n relay-tuning\n",
		"[test.cfg:2] : 'relay-tuning' expects buffer-size <bytes>, pipe-size <bytes>, wake-bytes <bytes>, ring-size <bytes> or memory-max <bytes>, ..."},
	{"global\n relay-tuning bufer-size 1\n",
		"[test.cfg:2] : 'relay-tuning' does not know 'bufer-size', did you mean 'buffer-size'?"},
	{"global\n relay-tuning buffer-size 1\n",
		"[test.cfg:2] : 'relay-tuning buffer-size' expects 4096 to 16777216 bytes (k, m and g are understood), not '1'."},
	{"global\n relay-tuning wake-bytes 17m\n",
		"[test.cfg:2] : 'relay-tuning wake-bytes' expects 0 to 16777216 bytes (k, m and g are understood), not '17m'."},
	{"global\n cpu-map 1\n", "[test.cfg:2] : 'cpu-map' expects [auto:]1[/<threads>] <cpus> ..."},
	{"global\n cpu-map 2 0\n", "[test.cfg:2] : 'cpu-map': there is only thread group 1, not '2'."},
	{"global\n cpu-map 1/1 1024\n",
		"[test.cfg:2] : 'cpu-map' expects CPUs from 0 to 1023, such as 0 or 0-3, not '1024'."},
	{"global\n cpu-map auto:1/1-4 0-2\n",
		"[test.cfg:2] : 'cpu-map auto:' needs as many CPUs as threads: 4 threads, 3 CPUs."},
	{"defaults\n timeout client\n", "[test.cfg:2] : 'timeout client' expects <time>."},
	{"defaults\n timeout client 5 6\n", "[test.cfg:2] : 'timeout client' has an argument too many: '6'."},
	{"defaults\n timeout client 5x\n",
		"[test.cfg:2] : 'timeout client' expects a time such as 500ms, 30s, 5m, 1h or 2d, not '5x'."},
	{"defaults\n timeout client 25d\n",
		"[test.cfg:2] : 'timeout client 25d' is too long: the longest time is 2147483647 ms, about 24.8 days."},
	{"defaults\n timeout client 1us\n",
		"[test.cfg:2] : 'timeout client 1us' is too short: the shortest time is 1 ms."},
	{"global\n stats timeout 0\n",
		"[test.cfg:2] : 'stats timeout 0' is out of range: 1 ms to 2147483647 ms."},
	{"global\n stats socket /x level root\n",
		"[test.cfg:2] : 'level' does not know 'root', it expects user, operator or admin."},
	{"global\n stats socket /x mode 9\n",
		"[test.cfg:2] : 'mode' expects an octal file mode such as 660, not '9'."},
	{"global\n metrics bind /x\n",
		"[test.cfg:2] : 'metrics bind' expects an IP address and a port, not a unix socket."},
	{"global\n metrics bind :1-3\n",
		"[test.cfg:2] : 'metrics bind': the address ':1-3' needs exactly one port."},
	{"defaults\n log\n",
		"[test.cfg:2] : 'log' expects <target> [len <bytes>] [format <format>] <facility> [<level> [<lowest level>]], or global."},
	{"defaults\n log stdout\n",
		"[test.cfg:2] : 'log' expects a facility after the target, such as local0."},
	{"defaults\n log stdout local8\n",
		"[test.cfg:2] : 'log': there is no facility 'local8', did you mean 'local0'?"},
	{"defaults\n log stdout local0 inf\n",
		"[test.cfg:2] : 'log': there is no level 'inf', did you mean 'info'?"},
	{"defaults\n log stdout format rfc local0\n", "[test.cfg:2] : 'log': there is no format 'rfc'."},
	{"defaults\n log stdout len 3 local0\n",
		"[test.cfg:2] : 'log': 'len' expects a number from 80 to 65535, not '3'."},
	{"defaults\n log ring@r local0\n", "[test.cfg:2] : 'log': 'ring@' is not supported in this version."},
	{"backend b\n balance leastcon\n",
		"[test.cfg:2] : 'balance' does not know 'leastcon', did you mean 'leastconn'?"},
	{"backend b\n balance hash\n",
		"[test.cfg:2] : 'balance hash' expects what to hash, as src, dst_port or req.ssl_sni,lower."},
	{"backend b\n balance hash scr\n",
		"[test.cfg:2] : 'balance scr': there is nothing like 'scr' to ask for, did you mean 'src'?"},
	{"backend b\n balance hash src dst\n", "[test.cfg:2] : 'balance' has an argument too many: 'dst'."},
	{"backend b\n balance rdp-cookie\n",
		"[test.cfg:2] : 'balance rdp-cookie' is not supported in this version."},
	{"backend b\n hash-type\n", "[test.cfg:2] : 'hash-type' expects <method> [<function> [avalanche]]."},
	{"backend b\n hash-type consistant\n",
		"[test.cfg:2] : 'hash-type' does not know 'consistant', did you mean 'consistent'?"},
	{"backend b\n hash-type map-based sbdm\n",
		"[test.cfg:2] : 'hash-type' does not know 'sbdm', did you mean 'sdbm'?"},
	{"backend b\n hash-type maglev crc32 avalance\n",
		"[test.cfg:2] : 'hash-type' does not know 'avalance', did you mean 'avalanche'?"},
	{"backend b\n hash-type maglev crc32 avalanche more\n",
		"[test.cfg:2] : 'hash-type' has an argument too many: 'more'."},
	{"backend b\n hash-balance-factor 99\n",
		"[test.cfg:2] : 'hash-balance-factor' must be 0 or at least 100 percent."},
	{"backend b\n hash-balance-factor 70000\n",
		"[test.cfg:2] : 'hash-balance-factor' expects a number from 0 to 65535, not '70000'."},
	{"backend b\n server s 1.2.3.4:5 on-marked-down shutdown-session\n",
		"[test.cfg:2] : 'on-marked-down' does not know 'shutdown-session', did you mean 'shutdown-sessions'?"},
	{"backend b\n server s 1.2.3.4:5 on-marked-up\n",
		"[test.cfg:2] : 'on-marked-up' expects shutdown-backup-sessions."},
	{"backend b\n server s 1.2.3.4:5 track t\n" OK_TAIL,
		"[test.cfg:2] : server 's': 'track t' wants a server that does not exist."},
	{"backend b\n server s 1.2.3.4:5 track c/t\n" OK_TAIL,
		"[test.cfg:2] : server 's': 'track c/t' wants a backend that does not exist."},
	{"backend b\n server s 1.2.3.4:5 track c/t\nbackend c\n disabled\n server t 1.2.3.4:5\n" OK_TAIL,
		"[test.cfg:2] : server 's': 'track c/t' wants a backend that is disabled."},
	{"backend b\n server s 1.2.3.4:5 track s\n" OK_TAIL,
		"[test.cfg:2] : server 's': 'track s' goes round in a circle."},
	{"backend b\n server s 1.2.3.4:5 track c/t\nbackend c\n server t 1.2.3.4:5 track b/s\n" OK_TAIL,
		"[test.cfg:4] : server 't': 'track b/s' goes round in a circle."},
	{"backend b\n balance hdr(host)\n",
		"[test.cfg:2] : 'balance hdr' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"backend b\n balance random(0)\n",
		"[test.cfg:2] : 'balance random(n)' expects a number from 1 to 16, not 'random(0)'."},
	{"backend b\n option redispatch x\n",
		"[test.cfg:2] : 'option redispatch' expects a number from -1000 to 1000, not 'x'."},
	/* addresses */
	{"frontend f\n bind\n",
		"[test.cfg:2] : 'bind' expects <address>[:<port>[-<port>]][,...] [<parameter> ...]."},
	{"frontend f\n bind 1.2.3.4\n", "[test.cfg:2] : 'bind': the address '1.2.3.4' has no port."},
	{"frontend f\n bind :1,:2 id 3\n", "[test.cfg:2] : 'id' can be given to a single address only."},
	{"frontend f\n bind :1 v4v6 v6only\n", "[test.cfg:2] : 'v4v6' and 'v6only' contradict each other."},
	{"frontend f\n bind :1 bckalog 3\n",
		"[test.cfg:2] : 'bckalog' unknown on a 'bind' line, did you mean 'backlog'?"},
	{"frontend f\n bind host:1\n", "[test.cfg:2] : 'bind': the host name 'host' is not looked up here."},
	{"frontend f\n bind :1 nice 2000\n",
		"[test.cfg:2] : 'nice' expects a number from -1024 to 1024, not '2000'."},
	{"backend b\n server a\n",
		"[test.cfg:2] : 'server' expects <name> <address>[:<port>] [<parameter> ...]."},
	{"backend b\n server a/b 1.2.3.4:1\n",
		"[test.cfg:2] : character '/' is not permitted in the server name 'a/b'."},
	{"backend b\n server a :80\n",
		"[test.cfg:2] : server 'a' has no address: forwarding to the address the client asked for is not supported in this version."},
	{"backend b\n server a 1.2.3.4:1-2\n",
		"[test.cfg:2] : server 'a': a server cannot have a range of ports."},
	{"backend b\n server a fd@3\n",
		"[test.cfg:2] : server 'a': an inherited descriptor ('fd@3') cannot be a server's address."},
	{"backend b\n server a 1.2.3.4:1 weight 300\n",
		"[test.cfg:2] : 'weight' expects a number from 0 to 256, not '300'."},
	{"backend b\n server a 1.2.3.4:1 source 1.2.3.4 usesrc hdr_ip(x-forwarded-for)\n",
		"[test.cfg:2] : 'usesrc hdr_ip(...)' is for HTTP only, and spliced relays TCP."},
	{"backend b\n source 1.2.3.4 usesrc 1.2.3.5:1-2\n",
		"[test.cfg:2] : 'usesrc' expects 'client', 'clientip' or an IP address with a port or none, not '1.2.3.5:1-2'."},
	{"backend b\n source 1.2.3.4 usesrc\n",
		"[test.cfg:2] : 'usesrc' expects 'client', 'clientip' or an IP address with a port or none, not ''."},
	{"backend b\n default-server id 3\n", "[test.cfg:2] : 'id' cannot be a default of several servers."},
	/* directives */
	{".foo\n", "[test.cfg:1] : '.foo' is no directive."},
	{".ednif\n", "[test.cfg:1] : '.ednif' is no directive, did you mean '.endif'?"},
	{".endif\n", "[test.cfg:1] : '.endif' without a '.if' above it."},
	{".else\n", "[test.cfg:1] : '.else' without a '.if' above it."},
	{".if 1\n.else\n.else\n.endif\n", "[test.cfg:3] : '.else' after the '.else' of the '.if' at line 1."},
	{"\n.if 1\n", "[test.cfg:2] : '.if' has no '.endif' in this file."},
	{".if yes\n.endif\n",
		"[test.cfg:1] : cannot judge the condition 'yes': a condition is a number, true, false or a predicate."},
	{".alert \"stop here\"\n", "[test.cfg:1] : stop here."},
	{".notice a b\n", "[test.cfg:1] : '.notice' expects one message: put quotes around it."},
	/* the whole */
	{"", "no frontend or listen section has a 'bind' line: nothing to do."},
	{"listen l\n server a 1.2.3.4:1\n",
		"no frontend or listen section that is not disabled has a 'bind' line: nothing to do."},
	{"listen l\n bind :1\n disabled\n",
		"no frontend or listen section that is not disabled has a 'bind' line: nothing to do."},
	{"listen a\n bind :1\nbackend a\n",
		"[test.cfg:3] : backend 'a' has the same name as the listen at test.cfg:1."},
	{"frontend a\n bind :1\nfrontend a\n",
		"[test.cfg:3] : frontend 'a' has the same name as the frontend at test.cfg:1."},
	{"listen a\n bind :1\n server s 1.2.3.4:1\n server s 1.2.3.5:1\n",
		"[test.cfg:4] : server 's' has the same name as the server at test.cfg:3."},
	{"listen a\n bind :1\n server s 1.2.3.4:1 id 3\n server t 1.2.3.5:1 id 3\n",
		"[test.cfg:4] : server 't': the id 3 is taken at test.cfg:3."},
	{"listen a\n bind :1\n id 9\nbackend b\n id 9\n",
		"[test.cfg:4] : backend 'b': the id 9 is taken at test.cfg:1."},
	{"listen a\n bind :1\n bind *:1\n",
		"[test.cfg:3] : the address of '*:1' is already bound at test.cfg:2."},
	{"listen a\n bind :1-3\nlisten b\n bind :2\n",
		"[test.cfg:4] : the address of ':2' is already bound at test.cfg:2."},
	{"frontend a\n bind :1\n default_backend bak\nbackend back\n",
		"[test.cfg:1] : 'a' wants the backend 'bak', which does not exist, did you mean 'back'?"},
	{"frontend a\n bind :1\n use_backend zzz\n",
		"[test.cfg:3] : 'a' wants the backend 'zzz', which does not exist."},
	{"global\n zero-warning\n tune.bufsize 1\n" OK_TAIL,
		"there are warnings, which 'zero-warning' refuses."},
};

/* Each is accepted with this message. */
static const struct error_case warnings[] = {
	{"listen l\n bind :1\n tcp-check send x\n server s 1.2.3.4:1\n",
		"[test.cfg:1] : the 'tcp-check' lines of 'l' have no effect without 'option tcp-check'."},
	{"listen l\n bind :1\n option tcp-check\n http-check expect status 200\n server s 1.2.3.4:1\n",
		"[test.cfg:1] : the 'http-check' lines of 'l' have no effect without 'option httpchk'."},
	{"backend b\n server s 127.0.0.1:1 send-proxy proxy-v2-options crc32c\n" OK_TAIL,
		"[test.cfg:2] : server 's': 'proxy-v2-options' has no effect without 'send-proxy-v2'."},
	{"listen l\n bind :1\n server s 1.2.3.4:1\n hash-balance-factor 150\n",
		"[test.cfg:1] : 'hash-balance-factor' has no effect in 'l': it is for 'hash-type consistent' and 'maglev', and for 'balance random'."},
	{"backend b\n bind :2\n server s 127.0.0.1:1\n" OK_TAIL,
		"[test.cfg:2] : 'bind' ignored: backend 'b' has no client side."},
	{"frontend f\n bind :2\n default_backend ok\n balance roundrobin\n" OK_TAIL,
		"[test.cfg:4] : 'balance' ignored: frontend 'f' has no server side."},
	{"backend b\n option tcplog\n server s 127.0.0.1:1\n" OK_TAIL,
		"[test.cfg:2] : 'option tcplog' ignored: backend 'b' has no client side."},
	{"defaults\n timeout client 0\n" OK_TAIL,
		"[test.cfg:2] : 'timeout client 0' means no limit: connections may stay for ever."},
	{"global\n tune.bufsize 16384\n" OK_TAIL,
		"[test.cfg:2] : 'tune.bufsize' has no effect: a connection keeps no buffer of its own here; 'relay-tuning buffer-size' sets the size of one read."},
	{"global\n nosplice\n" OK_TAIL,
		"[test.cfg:2] : 'nosplice' switches 'option splice-...' off and makes 'relay auto' and 'relay splice' 'relay copy'."},
	{"global\n cpu-map auto:1-2 0-1\n" OK_TAIL,
		"[test.cfg:2] : 'cpu-map auto:1-2': taken for threads; write 'auto:1/1-2'."},
	{"frontend f\n default_backend ok\n" OK_TAIL,
		"[test.cfg:1] : frontend 'f' has no 'bind' directive: declare it as a backend if that was meant."},
	{"frontend f\n bind :2\n" OK_TAIL,
		"[test.cfg:1] : frontend 'f' has no 'default_backend': its connections are closed at once."},
	{"backend b\n" OK_TAIL, "[test.cfg:1] : backend 'b' has no server."},
	{"listen b\n bind :2\n" OK_TAIL, "[test.cfg:1] : listen 'b' has no server."},
	{"frontend f\n bind :2\n use_backend ok\n use_backend ok\n" OK_TAIL,
		"[test.cfg:4] : this 'use_backend' is never reached: the one at line 3 takes every connection."},
	{"frontend f\n bind :2\n default_backend b\nbackend b\n disabled\n server s 127.0.0.1:1\n" OK_TAIL,
		"[test.cfg:1] : 'f' leads to the backend 'b', which is disabled."},
	{".warning \"mind this\"\n" OK_TAIL, "[test.cfg:1] : mind this."},
};

static void expect_message(
	const struct config_fixture *fixture, const char *label, const struct error_case *row)
{
	char line[1024];

	snprintf(line, sizeof(line), " : config : %s\n", row->message);
	if (strstr(fixture->messages, line) == NULL)
		fail_msg("for:\n%s\nwanted: %s\ngot:\n%s", row->text, row->message, fixture->messages);
	assert_int_equal(strncmp(fixture->messages, label, strlen(label)), 0);
}

static void mistakes_are_refused_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(alerts); i++) {
		struct config_fixture fixture;

		config_fixture_load(&fixture, alerts[i].text);
		if (fixture.config != NULL)
			fail_msg("accepted:\n%s", alerts[i].text);
		if (strstr(fixture.messages, "[WARNING]") == NULL)
			expect_message(&fixture, "[ALERT]    (", &alerts[i]);
		else
			assert_non_null(strstr(fixture.messages, alerts[i].message));
		assert_non_null(strstr(fixture.messages, "config : Fatal errors found in configuration.\n"));
		config_fixture_release(&fixture);
	}
}

static void doubtful_things_are_warned_about(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(warnings); i++) {
		struct config_fixture fixture;
		const struct config *config = config_fixture_accept(&fixture, warnings[i].text);

		expect_message(&fixture, "[WARNING]  (", &warnings[i]);
		assert_int_equal(config_warnings(config), 1);
		config_fixture_release(&fixture);
	}
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		count++;
	return count;
}

static void every_mistake_is_reported(void **state)
{
	struct config_fixture fixture;

	(void)state;
	config_fixture_load(&fixture,
		"global\n maxcon 1\n nbthread x\ndefaults\n timeout client 1x\n"
		"frontend f\n bind :1\n default_backend nope\nbackend b\n server s 1.2.3.4:1 wieght 3\n");
	assert_null(fixture.config);
	assert_int_equal(count_of(fixture.messages, "[ALERT]"), 6);
	assert_non_null(strstr(fixture.messages, "'f' wants the backend 'nope'"));
	config_fixture_release(&fixture);
}

static void the_number_of_messages_is_bounded(void **state)
{
	struct config_fixture fixture;
	char text[8 + 1000 * 4 + 1] = "global\n";

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		memcpy(text + 7 + i * 4, " xy\n", 5);
	config_fixture_load(&fixture, text);
	assert_null(fixture.config);
	assert_int_equal(count_of(fixture.messages, "'xy' unknown"), 100);
	assert_non_null(strstr(fixture.messages, "100 errors: the rest is not looked at.\n"));
	config_fixture_release(&fixture);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char with_nul[] = "global\n da\0emon\n";
	const size_t long_len = 1024 * 1024;
	char *long_line = malloc(long_len);
	struct config_fixture fixture;

	(void)state;
	assert_non_null(long_line);
	config_fixture_load_bytes(&fixture, with_nul, sizeof(with_nul) - 1);
	assert_null(fixture.config);
	assert_non_null(strstr(fixture.messages, "[test.cfg:2] : the line contains a NUL byte"));
	config_fixture_release(&fixture);

	memset(long_line, 'a', long_len);
	long_line[long_len - 1] = '\n';
	config_fixture_load_bytes(&fixture, long_line, long_len);
	assert_null(fixture.config);
	assert_non_null(strstr(fixture.messages,
		"[test.cfg:1] : a line of 1048575 bytes: the longest line allowed has 65536 bytes.\n"));
	config_fixture_release(&fixture);
	free(long_line);
}

static void messages_are_printable(void **state)
{
	struct config_fixture fixture;

	(void)state;
	config_fixture_load(&fixture, "backend b\n \"x\\x1b[31m\ty\"\n");
	assert_null(fixture.config);
	assert_null(strchr(fixture.messages, '\x1b'));
	assert_non_null(strstr(fixture.messages, "'x?[31m?y' unknown in section 'backend'.\n"));
	config_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_refused_in_words),
		cmocka_unit_test(doubtful_things_are_warned_about),
		cmocka_unit_test(every_mistake_is_reported),
		cmocka_unit_test(the_number_of_messages_is_bounded),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(messages_are_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
