using System.Net;
using System.Net.Sockets;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Network;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Dns;

/// <summary>
/// The only name server a machine is told of. The rules hand it what machines send to <see cref="EgressRules.DnsAddress"/>, and nothing
/// from elsewhere; who asks is told by the source address, which the rules have checked. A name that may not be resolved does not exist;
/// the addresses of a listed one are opened before the machine hears of them.
/// </summary>
internal sealed class DnsServer : IDisposable
{
    private const int PortAttempts = 64;
    private const int LargestQuestion = 1024;
    private const int QuestionsOnOneConnection = 256;

    /// <summary>Questions of all machines under way at a time: each holds a socket.</summary>
    private const int QuestionLimit = 1024;

    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(10);

    private readonly Egress egress;
    private readonly Upstream upstream;
    private readonly Socket datagrams;
    private readonly Socket listener;
    private int questions;

    public DnsServer(RuntimeSettings settings, Egress egress)
    {
        this.egress = egress;
        upstream = new Upstream(settings.Resolvers);
        (datagrams, listener, Port) = Bind(settings.DnsPort);
    }

    public int Port { get; }

    public void Start(CancellationToken ct)
    {
        _ = Task.Run(() => ReceiveAsync(ct), ct);
        _ = Task.Run(() => AcceptAsync(ct), ct);
    }

    public void Dispose()
    {
        datagrams.Dispose();
        listener.Dispose();
    }

    private static (Socket Datagrams, Socket Listener, int Port) Bind(int wanted)
    {
        for (var port = wanted; ; port++)
        {
            var datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                // Any address: the rules redirect to the one of the machine's interface, and drop what comes by other interfaces.
                datagrams.Bind(new IPEndPoint(IPAddress.Any, port));
                listener.Bind(new IPEndPoint(IPAddress.Any, port));
                listener.Listen(128);
                return (datagrams, listener, port);
            }
            catch (SocketException e)
            {
                datagrams.Dispose();
                listener.Dispose();
                if (port == wanted + PortAttempts || e.SocketErrorCode != SocketError.AddressAlreadyInUse)
                    throw new CommandFailure($"no port for the name server from {wanted} on: {e.Message}");
            }
        }
    }

    private async Task ReceiveAsync(CancellationToken ct)
    {
        var buffer = new byte[LargestQuestion];
        var anyone = new IPEndPoint(IPAddress.Any, 0);
        while (!ct.IsCancellationRequested)
        {
            try
            {
                var received = await datagrams.ReceiveFromAsync(buffer, SocketFlags.None, anyone, ct);
                var from = (IPEndPoint)received.RemoteEndPoint;
                if (Find(from) is not { } entry || DnsQuestion.Read(buffer.AsSpan(0, received.ReceivedBytes)) is not { } question) continue;
                _ = AnswerAsync(entry, question, from, ct);
            }
            catch (SocketException e) when (!ct.IsCancellationRequested)
            {
                // Such as the notice that a machine which asked is gone.
                if (e.SocketErrorCode is SocketError.OperationAborted or SocketError.NotSocket) return;
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task AnswerAsync(MachineEgress entry, DnsQuestion question, IPEndPoint to, CancellationToken ct)
    {
        try
        {
            if (await ResolveAsync(entry, question, ct) is not { } answer) return;
            await datagrams.SendToAsync(answer.Length > question.DatagramSize ? question.Empty(DnsStatus.Done, isCut: true) : answer, SocketFlags.None, to, ct);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The machine is gone, or we are.
        }
    }

    private async Task AcceptAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptAsync(ct);
                if (client.RemoteEndPoint is IPEndPoint from && Find(from) is { } entry && entry.DnsPace.TryBeginConnection()) _ = ServeAsync(client, entry, ct);
                else client.Dispose();
            }
            catch (SocketException e) when (!ct.IsCancellationRequested)
            {
                // Such as a connection that was given up before it was accepted; without free descriptors the loop must not spin.
                if (e.SocketErrorCode is SocketError.OperationAborted or SocketError.NotSocket) return;
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket client, MachineEgress entry, CancellationToken ct)
    {
        try
        {
            await using var stream = new NetworkStream(client, ownsSocket: true);
            for (var asked = 0; asked < QuestionsOnOneConnection; asked++)
            {
                using var idle = CancellationTokenSource.CreateLinkedTokenSource(ct);
                idle.CancelAfter(IdleTime);
                if (await DnsStream.ReadAsync(stream, LargestQuestion, idle.Token) is not { } message || DnsQuestion.Read(message) is not { } question) return;
                if (await ResolveAsync(entry, question, ct) is not { } answer) return;
                // A reader that does not read is not waited for longer than one that does not ask.
                idle.CancelAfter(IdleTime);
                await DnsStream.WriteAsync(stream, answer, idle.Token);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The machine hung up or was too slow.
        }
        finally
        {
            entry.DnsPace.EndConnection();
        }
    }

    private MachineEgress? Find(IPEndPoint from) => egress.Find(AddressRange.NumberOf(from.Address));

    /// <summary>Null when the machine or all of them have too many questions under way: it will ask again.</summary>
    private async Task<byte[]?> ResolveAsync(MachineEgress entry, DnsQuestion question, CancellationToken ct)
    {
        if (!entry.DnsPace.TryBeginQuestion()) return null;
        try
        {
            if (Interlocked.Increment(ref questions) > QuestionLimit) return null;
            return await DecideAsync(entry, question, ct);
        }
        catch (Exception e) when (e is LinuxException or CommandFailure)
        {
            Log.Line($"machine {entry.Machine}: the addresses of a name could not be opened: {e.Message}");
            return question.Empty(DnsStatus.ServerFailed);
        }
        finally
        {
            Interlocked.Decrement(ref questions);
            entry.DnsPace.EndQuestion();
        }
    }

    private async Task<byte[]> DecideAsync(MachineEgress entry, DnsQuestion question, CancellationToken ct)
    {
        if (question.IsUnanswerable) return question.Empty(DnsStatus.Refused);
        if (!entry.Policy.Resolves(question.Name)) return Refuse(entry, question, RefusalReasons.Policy);
        // Machines have no IPv6: an address they cannot use would only make programs try it first.
        if (question.Type == DnsQuestion.TypeAaaa) return question.Empty(DnsStatus.Done);
        if (await upstream.AskAsync(question, ct) is not var (message, answer)) return question.Empty(DnsStatus.ServerFailed);
        if (answer.All.Any(egress.IsClosed)) return Refuse(entry, question, RefusalReasons.Answer);
        return egress.Learn(entry, question.Name, answer.Addresses, answer.Ttl) ? message : Refuse(entry, question, RefusalReasons.Policy);
    }

    private static byte[] Refuse(MachineEgress entry, DnsQuestion question, string reason)
    {
        entry.Refusals.Add("dns", question.Name, 53, reason, TimeProvider.System.GetUtcNow());
        return question.Empty(DnsStatus.NoSuchName);
    }
}
