package program

import (
	"slices"
	"strings"
	"testing"
)

// TestTheMeterSeesEveryApplet tries each applet.
func TestTheMeterSeesEveryApplet(t *testing.T) {
	rows := map[string][]meterRow{
		"cat": {large(`cat /tmp/f`), large(`cat -A /tmp/l`)}, "head": {large(`head -n 99999 /tmp/l`), large(`head -n -5 /tmp/l`), large(`head -c 1000000 /tmp/f`)},
		"tail": {large(`tail -n 99999 /tmp/l`), large(`tail -c 5 /tmp/f`), large(`tail -n +99999 /tmp/l`), large(`tail -n 5 /tmp/f`)}, "wc": {large(`wc /tmp/l`)}, "tee": {large(`tee /tmp/o < /tmp/f`)},
		"tac": {large(`tac /tmp/l`), large(`tr a '\n' < /tmp/f | tac`)}, "rev": {large(`rev /tmp/f`)}, "nl": {large(`nl /tmp/l`)}, "more": {large(`more /tmp/f`)}, "less": {large(`less /tmp/f`)},
		"sort": {large(`sort /tmp/l`), large(`sort -n -k 2 /tmp/l`), large(`sort -f -u /tmp/l`), large(`cat /tmp/f /tmp/f | fold -w 50000 | sort -f`), large(`tr a 1 < /tmp/f | fold -w 50000 | sort -n`), large(`sort -V /tmp/l`)},
		"uniq": {large(`uniq -i /tmp/l`), large(`uniq -f 1 /tmp/f`)}, "shuf": {large(`shuf /tmp/l`), idle(`shuf -i 1-100000`)}, "paste": {large(`paste /tmp/l /tmp/l`), small(`paste /tmp/s $(printf ' -%.0s' $v)`)},
		"cut": {large(`cut -c 5- /tmp/f`), large(`cut -d a -f 5-9,100-99999 /tmp/f`), large(`cut -c "$(printf '%s,' $(seq 1 2 9999))3" /tmp/f`)}, "fold": {large(`fold -w 1 /tmp/f`), large(`fold -s -w 100 /tmp/l`)},
		"tr": {large(`tr a b < /tmp/f`), large(`tr -s a < /tmp/f`), small(`tr -cs "$y" b < /tmp/f`), large(`tr -d '[:alpha:]' < /tmp/f`)},
		"grep": {large(`grep b /tmp/f`), large(`grep 'a*b' /tmp/f`), large(`grep -E '(a|a)*(a|aa)*b' /tmp/f`), large(`grep -c a /tmp/l`), large(`grep -o a /tmp/f`), large(`grep -vi 'x.*y' /tmp/l`), small(`grep "$y" /tmp/l`),
			large(`grep -F -f /tmp/l /tmp/l`), small(`grep "$(head -c 100000 /tmp/f | sed 's/a/[[:/g' | head -c 100000)" /tmp/l`), large(`grep -w -B 99 b /tmp/l`), large(`grep -E '(a?){300}a{300}b' /tmp/f`)},
		"sed": {large(`sed 's/a/b/g' /tmp/f`), large(`sed -n '/a*b/p' /tmp/l`), large(`sed ':x;N;$!bx;s/\n/,/g' /tmp/l`), large(`sed -n 'H;${x;s/\n/,/g;p}' /tmp/l`), large(`sed y/a/b/ /tmp/f`), large(`sed 's/\(a*\)*b/\1/' /tmp/f`),
			large(`sed -i s/a/a/g /tmp/f`), large(`sed ':x;s/a/a/;tx' /tmp/f`), large(`sed -n l /tmp/f`), large(`sed ':x;h;G;g;bx' /tmp/l`), large(`sed p\;P\;= /tmp/l`)},
		"awk": {large(`awk '{ print $1, NF }' /tmp/l`)}, "find": {small(`find / -name "$y*"`), idle(`find / -name '*a*a*a*b' -o -path '*/*/*/*x' -o -size +1k`), idle(`find /usr -exec true {} +`)},
		"expr": {small(`expr "$y" : ".*b"`), small(`expr "$y" : "\(.*\)*b"`), small(`expr length "$y"`), small(`expr index "$y" "b$y"`), small(`expr substr "$y" 5 99999`), small(`expr "$y" = "${y}b"`), small(`expr $w`)},
		"seq":  {idle(`seq 1 100000`), idle(`seq -w -f %05g 1 10000`)}, "yes": {large(`yes | head -c 1000000`), large(`yes "$y" | head -c 1000000`)}, "factor": {idle(`factor 1099511627689`)},
		"md5sum": {large(`md5sum /tmp/f`)}, "sha1sum": {large(`sha1sum /tmp/f`)}, "sha256sum": {large(`sha256sum /tmp/f`), large(`sha256sum -c /tmp/l`)}, "sha512sum": {large(`sha512sum /tmp/f`)}, "cksum": {large(`busybox cksum /tmp/f`)}, "sum": {large(`sum /tmp/f`)},
		"base64": {large(`base64 /tmp/f`), large(`base64 -w 0 /tmp/f | base64 -d`), large(`base64 -w 1 /tmp/f`)}, "od": {large(`od -c /tmp/f`)}, "hexdump": {large(`hexdump -C /tmp/f`)}, "hd": {large(`busybox hd /tmp/f`)}, "xxd": {large(`xxd -p /tmp/f`)},
		"dd": {large(`dd if=/tmp/f of=/tmp/o`), large(`dd if=/tmp/f bs=1M`), idle(`dd if=/dev/zero of=/tmp/o bs=1 seek=1000000 count=1`)}, "cmp": {large(`cmp /tmp/f /tmp/g`), large(`cp /tmp/f /tmp/o; cmp /tmp/f /tmp/o`)},
		"diff": {large(`diff /tmp/l /tmp/f`)}, "echo": {small(`busybox echo "$y"`)}, "printf": {small(`busybox printf "$y"`), small(`busybox printf '%099999d' $v`)}, "test": {small(`busybox test "$y" = b`)}, "[": {small(`busybox [ "$y" = b ]`)}, "[[": {small(`busybox [[ "$y" = b ]]`)},
		"true": {small(`busybox true "$y"`)}, "false": {small(`busybox false "$y"`)}, "sleep": {small(`sleep "$y"`)}, "usleep": {small(`usleep 0 "$y"`)},
		"env": {small(`env $(printf 'a%s=b ' $v) true; : "$y"`), small(`env $(printf ' -u %s' $v) true; : "$y"`), small(`V=$y env`)}, "printenv": {small(`V=$y printenv $v`)}, "xargs": {large(`xargs -n 99999 true < /tmp/l`), large(`xargs -I a echo a < /tmp/l`), large(`xargs -I a echo aaaa < /tmp/f`), large(`tr a ' ' < /tmp/f | xargs`)},
		"timeout": {large(`timeout 5 cat /tmp/f`)}, "nohup": {large(`nohup cat /tmp/f`)}, "nice": {large(`nice cat /tmp/f`)}, "ionice": {large(`busybox ionice cat /tmp/f`)}, "setsid": {large(`busybox setsid cat /tmp/f`)}, "stdbuf": {large(`busybox stdbuf cat /tmp/f`)}, "chrt": {large(`busybox chrt cat /tmp/f`)},
		"time": {large(`busybox time cat /tmp/f`)}, "watch": {large(`timeout 1 watch cat /tmp/f`)}, "which": {small(`PATH=$(printf '/bin:%.0s' $v) /bin/which nosuch $v; : "$y"`)}, "su": {small(`su "$y"`)},
		"date":  {small(`date +"$y"`), small(`date +%$(head -c 100000 /tmp/f | tr a 9)N`), small(`date -d "$y"`), small(`date -d "$w"`)},
		"touch": {small(`touch "$y" $v; rm -f $v`)}, "mkdir": {small(`mkdir -p "$(head -c 100000 /tmp/f | sed 's|a|a/|g')"; : "$y"`)}, "rmdir": {small(`rmdir "$y"`)}, "rm": {small(`rm "$y"`)}, "unlink": {small(`unlink "$y"`)}, "cp": {large(`cp /tmp/f /tmp/o`)}, "install": {large(`install /tmp/f /tmp/o`)},
		"mv": {small(`mv "$y" $v /tmp`)}, "ln": {small(`ln -s "$y" $v`)}, "chmod": {small(`chmod -R "$(printf 'u+r,%.0s' $w)u+r" /usr`)}, "chown": {small(`chown -R "$y" /`), idle(`chown -R nobody:nogroup /tmp`)}, "chgrp": {small(`chgrp "$y" /`)},
		"truncate": {idle(`truncate -s 0 /tmp/o; truncate -s 30000000 /tmp/o`)}, "mktemp": {small(`mktemp "$(head -c 100000 /tmp/f | tr a X)"`)}, "sync": {small(`sync "$y"`)},
		"ls": {small(`ls "$y"; ls -lR /`), large(`cp /tmp/l /etc/passwd; ls -l /usr/bin; cat /tmp/f`)}, "stat": {small(`stat -c "$y" /tmp`), small(`stat -c "$(head -c 50000 /tmp/f | sed 's/a/%n/g')" /tmp`)}, "du": {idle(`du -a /`)}, "df": {small(`df "$y"`)}, "readlink": {small(`readlink -f "$y"`)}, "realpath": {small(`realpath "$y" $v`)},
		"basename": {small(`basename "$y" a`), small(`basename -a $v "$y"`)}, "dirname": {small(`dirname "$y" $v`)}, "pwd": {small(`busybox pwd "$y"`)}, "mount": {small(`mount "$y"`), idle(`mount`)},
		"ps": {idle(`ps`)}, "kill": {small(`busybox kill $w`)}, "killall": {small(`killall $v "$y"`)}, "pkill": {small(`pkill -f $v "$y"`)}, "pgrep": {small(`pgrep -f $v "$y"`)}, "pidof": {small(`pidof $v "$y"`)}, "id": {small(`id "$y"`)}, "groups": {small(`groups "$y"`)},
		"tar":  {large(`tar -czf /tmp/o /tmp/f; tar -xzOf /tmp/o`), large(`tar -cf /tmp/o /tmp/l /tmp/f`), small(`tar -cf - --exclude "$y*" /usr`), large(`head -c 30000000 /dev/zero | tar -cz -f - /tmp/f | tar -tzf -`)},
		"gzip": {large(`gzip -c /tmp/f`), large(`gzip -9 -c /tmp/l`)}, "gunzip": {large(`gzip -c /tmp/f | gunzip`), large(`head -c 30000000 /dev/zero | gzip | gunzip -t; cat /tmp/f`)}, "zcat": {large(`gzip -c /tmp/f | zcat`)},
		"split": {large(`split -l 5000 /tmp/l /tmp/o`), large(`split -b 100000 /tmp/f /tmp/o`)}, "getopt": {small(`getopt -o a: -- -a "$y" $w`), small(`getopt ab: $w`)}, "link": {small(`link "$y" "$y"`)},
		"nc": {large(`echo "$x" | nc -w 1 127.0.0.1 9`), large(`nc -l -p 81 > /dev/null & nc 127.0.0.1 81 < /tmp/f; wait`)}, "netcat": {small(`netcat -w 1 "$y" 9`)}, "telnet": {small(`telnet "$y" 9`)},
		"wget": {small(`wget -O - "http://127.0.0.1/$y"`), large(`httpd -p 82 -h /tmp; wget -O - http://127.0.0.1:82/f; killall httpd`)}, "curl": {small(`curl -s "http://127.0.0.1/$y"`)}, "httpd": {small(`httpd -p "$y"`)},
		"nslookup": {small(`nslookup "$y"`)}, "nslookup-1.28": {idle(`true`)}, "dig": {small(`dig "$y"`)}, "host": {small(`host "$y"`)}, "getent": {large(`cp /tmp/l /etc/hosts; getent hosts nosuch $v; cat /tmp/f`), small(`getent passwd $v "$y"`)}, "ping": {small(`ping -c 1 "$y"`)}, "traceroute": {small(`traceroute "$y"`)},
		"hostname": {large(`cp /tmp/l /etc/hosts; hostname -f; cat /tmp/f`)}, "stty": {small(`stty "$y"`)},
	}
	names := appletNames(t)
	for _, name := range []string{"awk", "gawk", "mawk", "nawk"} { // one program
		rows[name] = []meterRow{large(`awk '{ print $1, NF }' /tmp/l`)}
	}
	for _, name := range []string{"egrep", "fgrep"} {
		rows[name] = []meterRow{large(name + ` 'a*b' /tmp/f`)}
	}
	for _, name := range names { // what has no data of its own
		if rows[name] == nil && slices.Contains(strings.Fields("uname arch nproc whoami who free uptime dmesg ifconfig netstat ip lsof top strings clear reset tty logname"), name) {
			rows[name] = []meterRow{small("busybox " + name + ` "$y" < /tmp/f`)}
		}
	}
	meterAll(t, names, rows)
}

// TestTheMeterSeesAllOfAwk tries each function and operator of awk on a long string.
func TestTheMeterSeesAllOfAwk(t *testing.T) {
	run := func(body string) []meterRow {
		return []meterRow{large(`awk -v y="$y" 'BEGIN { while ((getline s < "/tmp/f") > 0); for (;;) { ` + body + `; printf "+\n" > "/dev/stderr" } }'`)}
	}
	rows := map[string][]meterRow{
		"F_GSUB":   {run(`t = s; gsub(/a/, "b", t)`)[0], run(`t = s; gsub(/a*b/, "&&", t)`)[0], run(`t = s; gsub(/(a|aa)*c/, "", t)`)[0]},
		"F_SUB":    {run(`t = s; sub(/b/, "", t)`)[0], run(`t = s; sub(/a*/, "&&", t)`)[0]},
		"F_MATCH":  {run(`match(s, /a*b/)`)[0], run(`match(s, y)`)[0]},
		"F_SPLIT":  {run(`split(s, f, /b/)`)[0], run(`split(s, f, "b")`)[0], run(`split(substr(s, 1, 50000), f, "")`)[0]},
		"F_LENGTH": run(`n = length(s)`), "F_INDEX": run(`n = index(s, "b")`), "F_SUBSTR": run(`t = substr(s, 5, 900000)`), "F_TOLOWER": run(`t = tolower(s)`), "F_TOUPPER": run(`t = toupper(s)`),
		"F_SPRINTF": {run(`t = sprintf("%s%9s%c", s, s, s)`)[0], run(`t = sprintf(s)`)[0], run(`t = sprintf("%1000000d", 1)`)[0]}, "F_SYSTEM": run(`system(": " substr(s, 1, 90000))`), "F_CLOSE": run(`close(s)`), "F_FFLUSH": run(`fflush(s)`),
		"concatenation": run(`t = s "b"`), "comparison": run(`n = s < s "b"`), "match": {run(`n = s ~ /a*b/`)[0], run(`n = s ~ /(a?)(a?)(a?)(a?)b/`)[0]}, "number": run(`n = s + 0; t = s s`), "array": run(`a[s] = s; delete a[s]`), "function": run(`f(s)`),
		"fields": {run(`$0 = s; n = NF`)[0], run(`$0 = substr(s, 1, 50000); FS = "a"; n = NF; $3 = "x"; n = length($0)`)[0]}, "getline": run(`while ((getline l < "/tmp/l") > 0); close("/tmp/l")`), "print": run(`print s, s > "/dev/null"`),
		"pipe": run(`print s | "cat > /dev/null"; close("cat > /dev/null")`), "records": {large(`awk -v RS= '{ n++ }' /tmp/l`), large(`awk -v RS='a*b' '{ n++ }' /tmp/l`), large(`awk -v RS=a '{ n++ }' /tmp/f`)}, "source": {large(`awk -f /tmp/s`), small(`awk "BEGIN { x = \"$y\" }"`), small(`awk "/$y/"`)},
	}
	rows["function"] = []meterRow{large(`awk 'function f(s) { s = s "b" } BEGIN { while ((getline s < "/tmp/f") > 0); for (;;) { f(s); printf "+\n" > "/dev/stderr" } }'`)}
	names := awkNames(t)
	for _, name := range names {
		if rows[name] == nil { // of numbers
			call := strings.ToLower(strings.TrimPrefix(name, "F_"))
			rows[name] = run("n = " + call + map[bool]string{true: "()", false: "(s, s)"}[call == "rand" || call == "systime"])
			if slices.Contains(strings.Fields("cos exp int log sin sqrt srand compl"), call) {
				rows[name] = run("n = " + call + "(s)")
			}
			for i := range rows[name] {
				rows[name][i].size = 0
			}
		}
	}
	names = append(names, "concatenation", "comparison", "match", "number", "array", "function", "fields", "getline", "print", "pipe", "records", "source")
	meterAll(t, names, rows)
}

// TestTheMeterSeesEveryServer tries the programs that are no shells and no applets
// on long arguments.
func TestTheMeterSeesEveryServer(t *testing.T) {
	rows := map[string][]meterRow{
		"perl":   {{"perl", `perl -e "$(printf 'print "a";%.0s' $v)"; : "$y"`, meterSmall}, {"perl", `perl -Mbignum=bpi -wle 'print bpi(10000)'`, 0}},
		"python": {{"python", `python3 -c "$(printf 'print("a");%.0s' $v)"; : "$y"`, meterSmall}, {"python", `python3 < /tmp/f`, meterLarge}},
		"node":   {{"node", `node -e "$(printf 'console.log("a");%.0s' $v)"; : "$y"`, meterSmall}},
	}
	names := serverNames(t)
	for _, name := range names {
		if rows[name] == nil {
			rows[name] = []meterRow{small("timeout 0.01 /tmp/bin/" + name + ` "$y"`)}
		}
	}
	meterAll(t, names, rows)
}
