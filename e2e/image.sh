#!/bin/sh
# Makes the Docker image suitesign-postgres:test out of the PostgreSQL that is
# installed on this machine, for testcontainers where no image registry is to be
# reached. Nothing is downloaded: the server, the few programs its start needs and
# the libraries they load are packed and imported as one layer.
set -eu

image=${1:-suitesign-postgres:test}
bindir=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bindir" ] || { echo "image.sh: no PostgreSQL server binaries under /usr/lib/postgresql; install the package postgresql" >&2; exit 1; }
version=$(basename "$(dirname "$bindir")")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/data" "$work/root/tmp" "$work/root/etc" "$work/root/var/run/postgresql"

programs="$bindir/postgres $bindir/initdb $bindir/pg_isready $bindir/psql /bin/sh /bin/cat /bin/sleep"
libraries=$(find "$(dirname "$bindir")/lib" -maxdepth 1 -name '*.so' | sort)
# Every shared object that any of them loads, the dynamic loader included.
{
  for f in $programs $libraries; do
    echo "$f"
    ldd "$f" 2>/dev/null | grep -oE '/[^ ]+' || true
  done
  find "$(dirname "$bindir")/lib" /usr/share/postgresql/"$version" /usr/share/zoneinfo -type f -o -type l
  find /lib /usr/lib -name 'libnss_files*' 2>/dev/null
} | sort -u > "$work/files"
# -h stores what links point to, so that the merged /usr does not matter inside.
tar -chf - -T "$work/files" 2>/dev/null | tar -xf - -C "$work/root"

cat > "$work/root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/:/bin/sh
postgres:x:70:70:postgres:/data:/bin/sh
PASSWD
printf 'root:x:0:\npostgres:x:70:\n' > "$work/root/etc/group"
cat > "$work/root/start" <<START
#!/bin/sh
set -eu
[ -s /data/pg/PG_VERSION ] || $bindir/initdb -D /data/pg -U postgres -A trust --locale=C --encoding=UTF8 >/dev/null
echo 'host all all all trust' >> /data/pg/pg_hba.conf
exec $bindir/postgres -D /data/pg -c listen_addresses='*' -c unix_socket_directories=/tmp "\$@"
START
chmod 755 "$work/root/start"
chmod 1777 "$work/root/tmp"
chown -R 70:70 "$work/root/data"

tar -C "$work/root" -c . | docker import \
  --change 'USER postgres' --change 'EXPOSE 5432' --change 'ENTRYPOINT ["/start"]' \
  --message "PostgreSQL $version from Debian's packages" - "$image"
