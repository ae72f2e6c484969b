/// Where the addresses of this host come from.
public enum LocalAddressSource {
  /// The kernel, asked each time: addresses come and go while we run.
  case kernel(LocalAddressReader)
  /// The same each time.
  case fixed(LocalAddresses)

  /// Returns the addresses as they are now.
  public func read() throws(KernelError) -> LocalAddresses {
    switch self {
    case .kernel(let reader): try reader.read()
    case .fixed(let addresses): addresses
    }
  }
}
