import Glibc

/// The processors of this host.
public enum Processors {
  /// How many this process may run on (sysconf(3), _SC_NPROCESSORS_ONLN); at least one.
  public static var count: Int { max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))) }
}
