# What runs on a far side that may lack this program: it looks for it, or takes it in, and becomes it. SPEC.md tells the
# talk. Lines of comment and leading tabs do not travel, and the rest does as one line: no word of it may go on in the next
# line, and no comment stand behind a command. Each process that it starts takes a millisecond.
#
# A directory is entered before it is looked at, and never named again: what others do to the way there cannot lead
# elsewhere any more. In it, names are this user's alone.

umask 077
set -f
unset CDPATH
PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:$PATH
d=$1 c=$2 k=$3 n=$4 v=${5:-__deliver}
nl=${IFS#??}
nl=${nl%"${nl#?}"}
u= q= t=
x32=????????????????????????????????
IFS= read -r N || exit 69
case $N in '' | *[!0-9a-f]*) exit 65 ;; esac
say() { printf '=====DEPLOY %s %s=====\n' "$N" "$*"; }
drop() {
	[ -z "$t" ] || rm -f "$t"
	t=
}
trap drop 0
trap 'exit 69' 1 2 13 15
fail() {
	q=$1
	drop
	return 1
}

# into PARENT NAME: goes into a directory, and looks whether it is this user's alone.
into() {
	w=${1%/}/$2
	cd -P "$1" 2>/dev/null || fail "${1%/} is not there, or cannot be entered${e:+: ${e##*: }}" || return
	p=${PWD%/}
	e=
	[ -z "$m" ] || [ -d "./$2" ] || e=$(mkdir -m 700 "./$2" 2>&1)
	cd -P "./$2" 2>/dev/null || fail "it cannot be made or entered: ${e##*: }" || return
	[ "$PWD" = "$p/$2" ] || fail 'it is a symbolic link' || return
	[ -O . ] || fail 'it belongs to another user' || return
	b=$(stat -c '%a %i %s %z' . "./$d" 2>/dev/null)
	case ${b:-$(ls -ldn .)} in
	700\ * | [0-7]700\ * | drwx--[-S]--[-T]*) ;;
	*) fail 'others may enter it: its mode is not 0700' || return ;;
	esac
	case $b in *"$nl"*) b=${b#*"$nl"} ;; *) b= ;; esac
}

# sum FILE: its digest. openssl takes a third of the time that sha256sum takes of coreutils without it.
sum() {
	{ openssl dgst -sha256 -r "$1" || sha256sum "$1" || busybox sha256sum "$1" || shasum -a 256 "$1" || sha256 -r "$1"; } 2>/dev/null
}

# note: what the program looks like, now that its digest is known to be right.
note() {
	{ stat -c '%a %i %s %z' "./$d" >"./.$d.ok" || rm -f "./.$d.ok"; } 2>/dev/null
}

# have: it is here, as it was when its digest was looked at, or its digest is right now.
have() {
	[ -f "./$d" ] && [ ! -L "./$d" ] && [ -x "./$d" ] || return
	r=
	[ -f "./.$d.ok" ] && IFS= read -r r <"./.$d.ok"
	[ "$b" ] && [ "$r" = "$b" ] && return
	r=$(sum "./$d")
	[ "${r%% *}" = "$d" ] && note
}

run() {
	say here "$PWD/$d"
	trap - 0 1 2 13 15
	exec "./$d" "$v" ${n:+"$n"}
}

look() {
	m= e=
	into "$1" "$2" && have && run
}

# stale: takes away what calls that were killed left here.
stale() {
	set +f
	for x in ./.$x32.new; do
		[ ! -f "$x" ] || find . ! -name . -prune -type f -name ".$x32.new" ! -name '.*[!0-9a-f]*.new' -mmin +60 -exec rm -f '{}' ';' 2>/dev/null
		break
	done
	set -f
}

# room: the KiB that are free here.
room() {
	f=$(df -Pk . 2>/dev/null)
	set -- ${f#*"$nl"}
	f=${4:--}
}

# take SIZE: writes what comes. What does not unpack, or fit, is read to its end, or the rest would pass for an answer.
take() { head -c "$1" | { ${x:-cat} 2>&1 >"$t" || { r=$? && cat >/dev/null && exit $r; }; }; }

# fill: takes the program in, under a name that nothing else has, and looks at what came.
fill() {
	stale
	t=./.$N.new
	e=$( (set -C && : >"$t") 2>&1) || fail "it cannot be written to: ${e##*: }" || return
	chmod 700 "$t"
	"$t" </dev/null >/dev/null 2>&1 || fail 'programs in it cannot be run: it is mounted noexec' || return
	room
	say need "$f $w"
	read -r r f x || exit 69
	[ "$r" != probe ] || {
		head -c "$f" >/dev/null
		say more
		read -r r f x || exit 69
	}
	case $r in
	push) x= ;;
	pack) x=$z ;;
	*) fail - || return ;;
	esac
	e=$(take "$f") || fail "it could not be filled: ${e##*: }" || return
	r=$(sum "$t")
	[ -z "$r" ] || [ "${r%% *}" = "$d" ] || fail 'what came has another digest' || return
	r=$("$t" __digest ${r:+"$d"} </dev/null 2>&1)
	[ "$r" = "$d" ] || fail "the program does not start there: $r" || return
}

refuse() {
	q=${q%%"$nl"*}
	[ "$q" = - ] || say refuse "$w	$q"
}

# bring PARENT NAME [P]: takes the program in to stay; with P, makes the parent.
bring() {
	m=1 e=
	[ -z "$3" ] || [ -d "$1" ] || e=$(mkdir -p "$1" 2>&1)
	into "$1" "$2" && fill && chmod 500 "$t" && { mv -f "$t" "./$d" || fail 'it could not be moved'; } && {
		t=
		note
		run
	}
	refuse
}

# sweep: takes away what calls that were killed left next to the directory of this one. One that is being filled is younger.
sweep() {
	: "${u:=$(id -u)}"
	for x in $(find .. ! -name .. -prune -type d -user "$u" -name "deliveryboy-$x32" ! -name 'deliveryboy-*[!0-9a-f]*' -mmin +60 2>/dev/null); do
		x=${x#../} m=
		(into .. "$x" && [ -z "$(find . ! -name . -mmin -60)" ] && rm -f "./.${x#*-}.new" && cd .. && rmdir "./$x") 2>/dev/null
	done
	:
}

# alone PARENT: takes the program in for once. Nothing of it has a name when it runs.
alone() {
	m=1 e=
	into "$1" "deliveryboy-$N" && sweep && fill && if [ -e /proc/self/fd/0 ]; then
		exec 9<"$t"
		rm -f "$t"
		cd .. && rmdir "./deliveryboy-$N"
		say here
		trap - 0 1 2 13 15
		exec /proc/self/fd/9 "$v" ${n:+"$n"}
	else
		fail 'there is no /proc to run it from without a name'
	fi
	refuse
	rmdir "$w" 2>/dev/null
}

# all WHAT: does it in each place.
all() {
	[ -z "$c" ] || {
		"$1" "${c%/*}/" "${c##*/}" p
		return
	}
	[ "$1" = look ] || [ "$u" = 0 ] && "$1" /var/cache deliveryboy
	h=${HOME%/}
	h=${XDG_CACHE_HOME:-${h:+$h/.cache}}
	# Root makes nothing below what another user has: links may lead anywhere there.
	[ "$1" = look ] || [ "$u" != 0 ] || [ -O "${XDG_CACHE_HOME:-$HOME}" ] || h=
	case $h in /*) "$1" "$h/deliveryboy" bin p ;; esac
	case $XDG_RUNTIME_DIR in /*) "$1" "$XDG_RUNTIME_DIR" deliveryboy-bin ;; esac
	: "${u:=$(id -u)}"
	"$1" /dev/shm "deliveryboy-bin-$u"
	"$1" /tmp "deliveryboy-bin-$u"
}

[ "$d" = - ] || all look
if [ -t 0 ]; then
	say terminal
	exit 69
fi
z=
for x in gzip gunzip; do
	command -v $x >/dev/null && z="$x -dc" && break
done
say arch "$(uname -sm) ${z%% *}"
IFS= read -r r || exit 69
[ "$r" = "$d" ] || {
	d=$r
	all look
}
[ "$c" ] || : "${u:=$(id -u)}"
[ "$k" ] || all bring
if [ "$k" ] && [ -n "$c" ]; then
	mkdir -p "$c" 2>/dev/null
	alone "$c"
elif [ -z "$c" ]; then
	case $XDG_RUNTIME_DIR in /*) alone "$XDG_RUNTIME_DIR" ;; esac
	alone /dev/shm
	alone /tmp
	alone /var/tmp
fi
say none
exit 69
