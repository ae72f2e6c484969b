import Model
import Netfilter
import SystemRuntime
import SystemPackage

/// Looks up one socket in the other network namespaces that have its address, for the thread that looks at new flows.
///
/// Which namespaces there are is looked at now and then (`refresh(at:)`). What is opened in one keeps it alive: it is
/// closed `hold` after its last use. Needs CAP_SYS_ADMIN; without it nothing is found.
final class NamespaceSockets {
  /// How long a namespace may outlive its last process because it was asked.
  static let hold = Duration.seconds(5)
  /// The pauses between two looks which namespaces there are: the first after a change, the longest while there is
  /// none. A look takes a millisecond or two.
  static let pauses = (first: Duration.milliseconds(200), longest: Duration.milliseconds(1_600))
  /// Namespaces that are known, and that are open at a time.
  static let limits = (known: 256, open: 64)
  // The most namespaces with one address that are asked: 5 to 10 us each, more where one is opened first.
  private static let asked = 8
  // Namespaces whose addresses are read again in one look, beside those that are new: some 100 us each.
  private static let reads = 8

  private final class Place {
    var lookup: SocketLookup
    var lastUse: Instant

    init(_ lookup: consuming SocketLookup, at now: Instant) {
      self.lookup = lookup
      lastUse = now
    }
  }

  /// False when there are namespaces whose addresses are not known: what is found may be theirs as well.
  private(set) var isComplete = false
  /// Answers that could not be understood, since start.
  private(set) var malformed: UInt64 = 0
  /// When it may be looked again which namespaces there are.
  private(set) var nextRefresh: Instant
  private var pause = NamespaceSockets.pauses.first
  private let path: String
  private let limit: Int
  private let root: OpenFile
  private let ownAddresses: LocalAddressReader
  private var entries = NumberedEntries(limit: 1_048_576)
  private var listing: [NumberedEntry] = []
  private var members: NamespaceMembers
  private let own: UInt64
  private let folders: [String]
  private var mounted: [UInt64: NamespaceEntrance] = [:]
  private var homes = NamespaceHomes()
  private var places: [UInt64: Place] = [:]

  /// Looks which namespaces there are, and reads the addresses of at most `limit`. Errors: where /proc does not show them.
  init(
    root path: String = "/proc", limit: Int = limits.known, at now: Instant
  ) throws(KernelError) {
    do throws(Errno) {
      root = try OpenFile(path, isFolder: true)
      own = try NamespaceLink.read("thread-self/ns/net", in: root)
    } catch { throw .failed("reading the network namespaces below \(path)", error) }
    members = NamespaceMembers(own: own)
    folders = path == "/proc" ? NamespaceEntrance.allowedFolders : []
    self.path = path
    self.limit = limit
    ownAddresses = try LocalAddressReader()
    nextRefresh = now
    refresh(at: now)
  }

  /// True when another network namespace may have both ends of this flow, as far as addresses show.
  func mayHave(_ flow: Flow) -> Bool {
    !homes.own.contains(flow.original.source.address) && !homes.own.contains(flow.reply.source.address)
  }

  /// The socket with the end `tuple.source` of a flow; nil when no other namespace has it, or several may.
  func socket(_ tuple: FlowTuple, at now: Instant) -> SocketEntry? {
    let asked = ask(tuple.source.address, at: now) { lookup throws(KernelError) in
      try lookup.socket(tuple.transport, local: tuple.source, remote: tuple.destination)
    }
    guard let (answers, isOnly) = asked else { return nil }
    let connected = answers.filter { $0.socket.remote.port != 0 }
    if connected.count == 1 { return connected[0].socket }
    // One without a peer fits by its address alone, which another namespace may have, or have had since.
    return isOnly && now < nextRefresh ? answers.first?.socket : nil
  }

  /// True when a TCP socket listens at `local` in another namespace: who accepts there is seen when it has.
  func isListening(at local: Endpoint, at now: Instant) -> Bool {
    let asked = ask(local.address, at: now) { lookup throws(KernelError) in try lookup.listener(at: local) }
    return asked.map { !$0.answers.isEmpty } ?? false
  }

  /// When something is to be closed; nil when nothing is open.
  var nextRelease: Instant? { places.values.map { $0.lastUse + Self.hold }.min() }

  /// Closes what was not used for `hold`.
  func release(at now: Instant) {
    if !places.isEmpty { places = places.filter { now - $0.value.lastUse < Self.hold } }
  }

  /// True when the last look found a namespace that was not known before.
  var foundNew: Bool { pause == Self.pauses.first }

  /// Looks which namespaces there are now, if that is due.
  func refresh(at now: Instant) {
    guard now >= nextRefresh else { return }
    defer { nextRefresh = now + pause }
    guard let own = try? ownAddresses.read(), (try? root.rewind()) != nil,
      (try? entries.list(root, into: &listing)) != nil
    else { return }
    homes.own = own
    listing.sort { $0.number < $1.number }
    members.refresh(listing.map { KnownProcess(pid: $0.number, folderInode: $0.inode) }, in: root)
    mounted = NamespaceEntrance.mounted(in: folders, own: self.own)
    let empty = mounted.keys.filter { members.representatives[$0] == nil }
    let all = members.representatives.keys.sorted() + empty.sorted()
    let present = all.prefix(limit)
    pause = homes.knows(present) ? min(pause * 2, Self.pauses.longest) : Self.pauses.first
    homes.keep(present)
    for inode in places.keys where !all.contains(inode) { places[inode] = nil }
    for inode in homes.nextToRead(of: present, again: Self.reads) {
      homes.set(addresses(of: inode), of: inode)
    }
    isComplete = present.count == all.count && homes.haveAnswered
  }

  private func addresses(of inode: UInt64) -> LocalAddresses? {
    try? LocalAddressReader(socket: NetlinkSocket(.route, in: namespace(inode))).read()
  }

  /// What the sockets of the namespaces with this address answer, and whether it is only one's; nil where too many have
  /// it, or one could not be asked, which may have the socket.
  private func ask(
    _ address: IPAddress, at now: Instant,
    _ question: (inout SocketLookup) throws(KernelError) -> SocketLookup.Answer?
  ) -> (answers: [SocketLookup.Answer], isOnly: Bool)? {
    let namespaces = homes.namespaces(with: address)
    guard namespaces.count <= Self.asked else { return nil }
    var answers: [SocketLookup.Answer] = []
    for inode in namespaces {
      guard let place = place(inode, at: now) else { return nil }
      let before = place.lookup.malformed
      defer { malformed += place.lookup.malformed - before }
      do throws(KernelError) {
        if let answer = try question(&place.lookup) { answers.append(answer) }
      } catch { return nil }
    }
    return (answers, namespaces.count == 1)
  }

  private func place(_ inode: UInt64, at now: Instant) -> Place? {
    if let place = places[inode] {
      place.lastUse = now
      return place
    }
    guard let namespace = try? namespace(inode), let lookup = try? SocketLookup(in: namespace) else {
      return nil
    }
    let place = Place(lookup, at: now)
    if places.count >= Self.limits.open, let oldest = places.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      places[oldest.key] = nil
    }
    places[inode] = place
    return place
  }

  private func namespace(_ inode: UInt64) throws(KernelError) -> OpenFile {
    let first = members.representatives[inode].map { [$0] } ?? []
    var last = KernelError.failed("entering a network namespace", .noSuchProcess)
    // The first may have ended since the last look; others may be there still.
    let processes = (first + members.others(in: inode)).map { NamespaceEntrance.process("\(path)/\($0)") }
    for entrance in processes + (mounted[inode].map { [$0] } ?? []) {
      do throws(KernelError) { return try NamespaceReader.open(inode, entrance) } catch {
        guard error.isNoProcess else { throw error }
        last = error
      }
    }
    throw last
  }
}
