using Miosa.Runtime.Images;

namespace Miosa.Runtime.Serve;

internal static class Usage
{
    public const string Text = $"""
        miosa-runtime: runs machines. The only privileged part of Miosa; everything else speaks to its socket.

          serve                               answer on <run>/runtime.sock; SIGTERM stops it and leaves machines running
          down [--purge]                      destroy every machine and leave nothing on the host (--purge: images and disks too)
        {ImageCommands.Usage}

        options
          --data DIR        images and disks of machines          (/var/lib/miosa)
          --run DIR         sockets                               (/run/miosa)
          --name NAME       tells instances on one host apart     (miosa; other names change the two above)
          --user USER       the account of miosa-server           (miosa)
          --subnet NET      addresses of machines                 (10.213.0.0/16)
          --id-base N       first user id given to machines       (1000000000)
          --guest PATH      the guest's program                   (miosa-guest beside this program)
          --runsc PATH      gVisor, for machines with isolation gvisor (runsc in /usr/bin and the like)
          --disk-gb N       size of the data volume, when one has to be made (80 % of what is free)
          --image-gb N      what one image may take, unpacked     (16)
          --image-files N   entries one archive may have          (1000000)
          --resolvers A,B   name servers that answer for machines, each with :PORT if need be (those of this host)
          --egress-allow R  private ranges that machines may reach, 10.20.0.0/16,192.168.7.5/32 (none)
          --cache DIR       archives of built images              (/var/cache/miosa)
          --shared-ids      one id range for all machines, as on kernels before 5.19
          --trace           one line per launch with the time of each step
        """;
}
