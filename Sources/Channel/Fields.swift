import Model

// The fields of each value that is sent, in their order: the format of the messages.

extension ProcessIdentity: Transmissible {
  static var blank: ProcessIdentity { ProcessIdentity(pid: 0, startTime: 0) }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.integer(&pid)
    try coder.integer(&startTime)
  }
}

extension ProcessDescription: Transmissible {
  static var blank: ProcessDescription {
    ProcessDescription(identity: .blank, uid: 0, executable: nil, arguments: [], commandLine: "")
  }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try identity.code(with: &coder)
    try coder.integer(&uid)
    try coder.optional(&executable)
    try coder.list(&arguments)
    try coder.text(&commandLine)
    try coder.list(&ancestors)
    try coder.optional(&place.cgroup)
    try coder.optional(&place.unit)
    try coder.optional(&place.container)
    try coder.optional(&place.networkNamespace)
  }
}

extension Usage: Transmissible {
  static var blank: Usage { .zero }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.integer(&received)
    try coder.integer(&sent)
  }
}

extension InterfaceUsage: Transmissible {
  static var blank: InterfaceUsage { InterfaceUsage(interface: 0, usage: .zero) }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.integer(&interface)
    try usage.code(with: &coder)
  }
}

extension PathUsage: Transmissible {
  static var blank: PathUsage { PathUsage(address: .blank, interface: 0, usage: .zero) }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try address.code(with: &coder)
    try coder.integer(&interface)
    try usage.code(with: &coder)
  }
}

extension IPAddress: Transmissible {
  static var blank: IPAddress { .anyV6 }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    var (high, low) = (high, low)
    try coder.integer(&high)
    try coder.integer(&low)
    self = IPAddress(high: high, low: low)
  }
}

extension Owner: Transmissible {
  static var blank: Owner { .kernel }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    var kind: UInt8 =
      switch self {
      case .process: 0
      case .pipe: 1
      case .forwarded: 2
      case .kernel: 3
      case .unattributed: 4
      case .untracked: 5
      }
    try coder.integer(&kind)
    switch kind {
    case 0:
      var identity = ProcessIdentity.blank
      if case .process(let known) = self { identity = known }
      try identity.code(with: &coder)
      self = .process(identity)
    case 1:
      var name = ""
      if case .pipe(let known) = self { name = known }
      try coder.text(&name)
      self = .pipe(name)
    case 2: self = .forwarded
    case 3: self = .kernel
    case 4:
      var reason = Reason.exited
      if case .unattributed(let known) = self { reason = known }
      try coder.choice(&reason)
      self = .unattributed(reason)
    case 5: self = .untracked
    default: throw .malformed
    }
  }
}

extension Reading: Transmissible {
  static var blank: Reading { Reading(owner: .kernel, usage: .zero) }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try owner.code(with: &coder)
    try coder.process(&process)
    try usage.code(with: &coder)
    var isRelaxed = certainty.match == .relaxed
    try coder.flag(&isRelaxed)
    certainty.match = isRelaxed ? .relaxed : .exact
    try coder.flag(&certainty.isShared)
    try coder.flag(&certainty.isPayload)
    try coder.few(&interfaces)
  }
}

extension Balance: Transmissible {
  static var blank: Balance { Balance() }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try attributed.code(with: &coder)
    try forwarded.code(with: &coder)
    try kernel.code(with: &coder)
    for reason in Owner.Reason.allCases {
      try coder.optional(&unattributed[reason])
    }
    try hidden.code(with: &coder)
    try loopback.code(with: &coder)
    try payload.code(with: &coder)
    try untracked.code(with: &coder)
    try interfaces.code(with: &coder)
  }
}

extension Health: Transmissible {
  static var blank: Health { Health() }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    for gauge in Self.gauges { try coder.integer(&self[keyPath: gauge]) }
    for counter in Self.counters { try coder.integer(&self[keyPath: counter]) }
  }
}

extension Warning: Transmissible {
  static var blank: Warning { Warning(code: "", text: "") }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.text(&code)
    try coder.text(&text)
    try coder.flag(&isNote)
    try coder.flag(&isResolved)
  }
}

extension Duration: Transmissible {
  static var blank: Duration { .zero }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    var (seconds, attoseconds) = components
    try coder.integer(&seconds)
    try coder.integer(&attoseconds)
    self = Duration(secondsComponent: seconds, attosecondsComponent: attoseconds)
  }
}

/// All of a measurement but its readings and renamed processes, which come before, in pieces.
extension Measurement: Transmissible {
  static var blank: Measurement { Measurement(interval: nil, readings: []) }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.optional(&interval)
    try coder.list(&exited)
    try balance.code(with: &coder)
    try coder.few(&paths)
    try health.code(with: &coder)
    try coder.list(&warnings)
  }
}

extension FilterSettings: Transmissible {
  static var blank: FilterSettings {
    FilterSettings(include: [], exclude: [], ignoresLocal: false, excludesTunnels: false)
  }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.list(&include)
    try coder.list(&exclude)
    try coder.flag(&ignoresLocal)
    try coder.flag(&excludesTunnels)
  }
}

extension SensorSettings: Transmissible {
  static var blank: SensorSettings {
    SensorSettings(flags: [], filters: [])
  }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.list(&flags)
    try coder.flag(&wantsAncestors)
    try coder.flag(&countsLookback)
    try coder.optional(&hidden)
    try coder.list(&filters)
  }
}

extension SensorFault: Transmissible {
  static var blank: SensorFault { SensorFault(text: "", status: 0, isLasting: false) }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.text(&text)
    try coder.integer(&status)
    try coder.flag(&isLasting)
  }
}

extension String: Transmissible {
  static var blank: String { "" }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.text(&self)
  }
}

extension UInt64: Transmissible {
  static var blank: UInt64 { 0 }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.integer(&self)
  }
}

extension Int32: Transmissible {
  static var blank: Int32 { 0 }
  mutating func code<Coder: FieldCoder>(with coder: inout Coder) throws(ChannelError) {
    try coder.integer(&self)
  }
}
