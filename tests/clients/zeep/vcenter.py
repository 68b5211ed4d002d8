"""A SOAP client that knows nothing but the WSDL that the server serves."""

import faulthandler
import os
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3
from lxml import etree
from zeep import Client, Plugin, Transport
from zeep.proxy import ServiceProxy

GOVC_URL = urlsplit(os.environ["GOVC_URL"])
SDK = urlunsplit((GOVC_URL.scheme, GOVC_URL.netloc.rpartition("@")[2], GOVC_URL.path, "", ""))
WSDL = f"{SDK}/vimService.wsdl"

faulthandler.dump_traceback_later(80, exit=True)
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def fetch(http, url):
    reply = http.get(url)
    reply.raise_for_status()
    return reply.content


class Served(etree.Resolver):
    """Lets a schema document include its siblings from the server."""

    def __init__(self, http):
        super().__init__()
        self.http = http

    def resolve(self, url, public_id, context):
        return self.resolve_string(fetch(self.http, url), context, base_url=url)


class Valid(Plugin):
    """Checks each reply against the schema: order, cardinality, enumerations, xsi:type."""

    def __init__(self, http):
        parser = etree.XMLParser()
        parser.resolvers.add(Served(http))
        url = f"{SDK}/vim.wsdl"
        wsdl = etree.fromstring(fetch(http, url), parser, base_url=url)
        inline = etree.tostring(wsdl.find(".//{http://www.w3.org/2001/XMLSchema}schema"))
        self.schema = etree.XMLSchema(etree.fromstring(inline, parser, base_url=url))

    def ingress(self, envelope, headers, operation):
        [reply] = envelope.find("{*}Body")
        details = reply.find("detail")
        for element in [reply] if details is None else details:
            self.schema.assertValid(etree.fromstring(etree.tostring(element)))
        return envelope, headers


class VCenter:
    """The service, its types, and an HTTP session with a cookie."""

    def __init__(self):
        self.http = requests.Session()
        # A self-signed certificate is fine, whatever the environment says.
        self.http.trust_env = self.http.verify = False
        transport = Transport(session=self.http)
        self.client = Client(WSDL, transport=transport, plugins=[Valid(self.http)])
        self.types = self.client.type_factory("urn:vim25")
        # The WSDL's own address is localhost, as on a real vCenter.
        port = self.client.wsdl.services["VimService"].ports["VimPort"]
        self.service = ServiceProxy(self.client, port.binding, address=SDK)
        self.content = self.service.RetrieveServiceContent(self.ref("ServiceInstance"))

    def ref(self, kind, moid=None):
        return self.types.ManagedObjectReference(moid or kind, type=kind)

    def login(self):
        return self.service.Login(
            self.content.sessionManager, GOVC_URL.username, GOVC_URL.password
        )

    def logout(self):
        self.service.Logout(self.content.sessionManager)
        self.http.close()

    def filter(self, obj, *paths):
        """A filter for these properties of an object, or for all."""
        return self.types.PropertyFilterSpec(
            propSet=[
                self.types.PropertySpec(type=obj.type, all=not paths, pathSet=list(paths))
            ],
            objectSet=[self.types.ObjectSpec(obj=obj)],
        )

    def read(self, obj, *paths):
        """Properties of an object by name."""
        result = self.service.RetrievePropertiesEx(
            self.content.propertyCollector,
            [self.filter(obj, *paths)],
            self.types.RetrieveOptions(),
        )
        [content] = result.objects
        if content.missingSet:
            raise LookupError(content.missingSet)
        return {prop.name: prop.val for prop in content.propSet}
