# Chooses what hashes $1 bytes. openssl is four times as fast as sha256sum where the processor has instructions for it;
# it takes 10 ms to begin, and is asked first for a digest that is known.
d_choose_hash() {
  d_hash=sha256sum
  [ "$1" -ge 16777216 ] || return 0
  case $(openssl dgst -sha256 -r < /dev/null 2>/dev/null) in
    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\ *) d_hash='openssl dgst -sha256 -r' ;;
  esac
}
