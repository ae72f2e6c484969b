import Glibc

/// The environment of this process (environ(7)).
public enum Environment {
  /// The value of a variable; nil when it is not set.
  public static func value(_ name: String) -> String? {
    // The text is copied before anything could change the environment.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
}
