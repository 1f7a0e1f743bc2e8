#!/usr/bin/env bash
# Installs the brokers of poms/ as folders of jars, or says with --check which of
# them are missing. A folder that is there is complete: it is filled under another
# name, and holds the pom that it was made of.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
home=${SPILLWAY_BROKERS:-.brokers}
[[ $home = /* ]] || home=../../../$home
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1

# missing lists the brokers that are not installed as their poms say.
missing() {
	local pom name
	for pom in poms/*.xml; do
		name=$(basename "$pom" .xml)
		cmp -s "$pom" "$home/$name/pom.xml" || echo "$name"
	done
}

if [[ ${1:-} = --check ]]; then
	missing
	exit
fi
[[ -n $(missing) ]] || exit 0
for program in java mvn; do
	command -v "$program" >/dev/null || {
		echo "brokers: $program is missing; on Debian: apt-get install default-jdk-headless maven" >&2
		exit 1
	}
done
mkdir -p "$home"
exec 9>"$home/lock"
flock 9
for name in $(missing); do
	echo "brokers: installing $name; the first time this fetches about 50 MB"
	part=$(cd "$home" && pwd)/$name.part
	rm -rf "$part"
	mkdir "$part"
	said=$(mvn -B -q -f "poms/$name.xml" "$plugin:copy-dependencies" -DincludeScope=runtime -DoutputDirectory="$part" 2>&1) || {
		echo "$said" >&2
		echo "brokers: $name could not be installed; what maven says stands above" >&2
		exit 1
	}
	cp "poms/$name.xml" "$part/pom.xml"
	rm -rf "${home:?}/$name"
	mv "$part" "$home/$name"
done
