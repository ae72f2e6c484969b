import Model

/// The addresses of many hosts, several looked up at a time: a name server that does not answer delays a few names, not all.
public enum HostLookup {
  /// What is known of a host.
  public typealias Answer = Result<[ZonedEndpoint], NameResolution.Failure>

  private static let threads = 16

  /// Returns the addresses of each of `hosts`, names or addresses with or without a zone, in the order of `hosts`; waits for the
  /// resolver.
  public static func answers(for hosts: [String]) -> [Answer] {
    var answers: [Answer?] = hosts.map { host in
      IPAddress(host).map { .success([ZonedEndpoint(Endpoint(address: $0, port: 0))]) }
    }
    let names = hosts.indices.filter { answers[$0] == nil }
    guard names.count > 1, let inbox = try? Inbox<(Int, Answer)>() else {
      for index in names { answers[index] = lookUp(hosts[index]) }
      return answers.compactMap(\.self)
    }
    var expected = 0
    for thread in 0..<min(threads, names.count) {
      let own = stride(from: thread, to: names.count, by: threads).map { names[$0] }
      let isStarted =
        (try? WorkerThread.start("resolver") {
          for index in own { inbox.post((index, lookUp(hosts[index]))) }
        }) != nil
      if isStarted {
        expected += own.count
      } else {
        for index in own { answers[index] = lookUp(hosts[index]) }
      }
    }
    while expected > 0 {
      let taken = inbox.take()
      for (index, answer) in taken { answers[index] = answer }
      expected -= taken.count
      if expected > 0 { inbox.waker.wait() }
    }
    return answers.compactMap(\.self)
  }

  private static func lookUp(_ host: String) -> Answer {
    do throws(NameResolution.Failure) {
      return .success(try NameResolution.endpoints(of: host, port: 0))
    } catch {
      return .failure(error)
    }
  }
}
