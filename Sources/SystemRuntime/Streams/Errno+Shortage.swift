import SystemPackage

extension Errno {
  /// Whether a call failed because this process or this machine has no more to give: it says nothing of the peer.
  package var isShortage: Bool {
    switch self {
    // The last is what epoll_ctl(2) says at fs.epoll.max_user_watches.
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace, .noSpace: true
    default: false
    }
  }

  /// What to do about a shortage; `limit` is what the limit of connections is called, where there is one.
  package func remedy(limit: String?) -> String {
    switch self {
    case .tooManyOpenFiles:
      "Raise the limit of descriptors (`ulimit -Hn`, LimitNOFILE=)\(limit.map { ", or lower \($0)" } ?? "")."
    case .tooManyOpenFilesInSystem: "Raise fs.file-max (sysctl), or find who holds so many files."
    case .addressNotAvailable:
      "Widen net.ipv4.ip_local_port_range (sysctl), or connect less often."
    case .noSpace: "Raise fs.epoll.max_user_watches (sysctl)."
    default: "Free memory, or raise the limit of this service (MemoryMax=)."
    }
  }
}
